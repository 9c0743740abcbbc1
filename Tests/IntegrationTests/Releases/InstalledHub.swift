import Client
import Foundation
import Installations
import JSON
import TestSupport

/// A person's home folder, and what the installer makes of it.
final class InstalledHub {
    let folder: TemporaryFolder
    var home: String { folder.path + "/hub" }
    var installation: InstallationHome { InstallationHome(path: home) }
    private(set) var environment: [String: String]

    init(configuration: JSONObject? = nil) throws {
        folder = try TemporaryFolder("installed")
        environment = [
            "HOME": folder.path, "CODEAI_HUB_HOME": folder.path + "/hub", "CORE_PORT": "0", "LANG": "C.UTF-8",
            "PATH": "/usr/local/bin:/usr/bin:/bin",
        ]
        if var configuration {
            configuration["schemaVersion"] = 1
            try folder.write("hub/core/config.json", JSON.object(configuration).description)
        }
    }

    deinit {
        // Whoever still holds this home; a number in a file may be another's by now.
        for name in (try? FileManager.default.contentsOfDirectory(atPath: "/proc")) ?? [] {
            guard let pid = Int32(name), pid > 1,
                let text = FileManager.default.contents(atPath: "/proc/\(pid)/environ"),
                text.range(of: Data("CODEAI_HUB_HOME=\(home)\0".utf8)) != nil
            else { continue }
            kill(pid, SIGKILL)
        }
    }

    /// The built program, as somebody has it who has not installed anything.
    static let builtProgram = TestDaemon.programs + "/codeai-hub"
    /// What a person calls.
    var command: String { folder.path + "/.local/bin/codeai-hub" }

    func start(_ arguments: [String], program: String? = nil) throws -> RunningProgram {
        try RunningProgram(program ?? Self.builtProgram, arguments, environment: environment, in: folder.path)
    }

    /// Runs a command to its end.
    func tool(_ arguments: [String], program: String? = nil, within limit: Duration = .seconds(60)) throws -> ProgramRun
    {
        let running = try start(arguments, program: program)
        try eventually("\(arguments) ends: \(running.soFar.text)", within: limit) { !running.isRunning }
        return running.soFar
    }

    struct Answer {
        var code: Int32
        var lines: [JSON]
        var last: JSON { lines.last ?? .null }
        var error: String? { last["error"]?["code"]?.stringValue }

        func has(_ event: String) -> Bool { lines.contains { $0["event"]?.stringValue == event } }
    }

    /// The same with `--json`: every line that it prints.
    func ask(_ arguments: [String], program: String? = nil) throws -> Answer {
        let run = try tool(arguments + ["--json"], program: program)
        let answer = Answer(
            code: run.code, lines: try run.output.split(separator: "\n").map { try JSON.parse(String($0)) })
        PrintedLines.add(answer.lines)
        return answer
    }

    // MARK: What is there

    var installed: String? { installation.installed()?.description }

    /// Whether the version in force is whole and its programs run: what must be so at any time.
    func problem() throws -> String? {
        guard let version = installation.installed() else { return nil }
        let flaws = try installation.flaws(of: version)
        guard flaws.isEmpty else { return "\(version): \(flaws)" }
        for name in ["codeai-hub", "codeai-hub-core"] {
            let said = try tool(["--version"], program: installation.folder(of: version) + "/" + name)
            guard said.code == 0, said.output.hasSuffix(" \(version)\n") else { return "\(name): \(said.text)" }
        }
        return nil
    }

    var endpoint: HubEndpoint? { try? HubEndpoint.discover(home: HubHome(path: home)) }

    /// The answer of the daemon that runs; nil when none does.
    func health() throws -> JSON? {
        guard let endpoint else { return nil }
        guard let connection = try? RawConnection(port: endpoint.port) else { return nil }
        try? connection.send(
            Array("GET /health HTTP/1.1\r\nHost: 127.0.0.1:\(endpoint.port)\r\nConnection: close\r\n\r\n".utf8))
        return try? connection.response(hasBody: true, within: .seconds(2))?.json
    }

    func waits(forVersion version: String, within limit: Duration = .seconds(20)) throws {
        try eventually("version \(version) answers; now: \((try? health())?.description ?? "nobody")", within: limit) {
            try health()?["version"]?.stringValue == version
        }
    }
}

/// All that installers printed in this run of the tests, to be held against the published schema.
enum PrintedLines {
    nonisolated(unsafe) private static var lines: [String] = []
    private static let lock = NSLock()

    static func add(_ more: [JSON]) {
        lock.withLock { lines += more.map(\.description) }
    }

    static var all: [String] { lock.withLock { lines } }
}

/// Two versions of the real programs, packed once.
struct RealReleases {
    static let shared = Result { try RealReleases() }

    static let versions = ["9.0.1", "9.0.2"]
    private let folder: TemporaryFolder
    let mirrors: [TestMirror]

    private init() throws {
        folder = try TemporaryFolder("packages")
        let script = URL(filePath: #filePath).deletingLastPathComponent()
            .appending(path: "../../../scripts/release/pack.py").path
        var mirrors: [TestMirror] = []
        for version in RealReleases.versions {
            let mirror = try TestMirror(folder.path + "/" + version)
            let packed = try run(
                "python3",
                [script, "--programs", TestDaemon.programs, "--strip", "--version", version, "--output", mirror.path])
            guard packed.code == 0 else { throw TestFailure("pack.py: \(packed.text)") }
            try mirror.sign(with: mirror.key)
            mirrors.append(mirror)
        }
        self.mirrors = mirrors
    }
}
