import Foundation
import JSON
import TestSupport
import Testing

/// The clients of doc/clients.md, as they stand there, against a daemon that dies in the middle.
@Suite(.timeLimit(.minutes(5))) struct ExampleTests {
    enum Example: String, CaseIterable, CustomTestStringConvertible {
        case python, websocket, javascript, swift

        var testDescription: String { rawValue }

        /// The first event that it hears of: with the WebSocket, the session's record tells what came before.
        var firstSeq: Int { self == .websocket ? 2 : 1 }

        func command(in folder: String) throws -> [String] {
            let examples = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../../doc/examples")
                .path
            switch self {
            case .python: return ["python3", examples + "/python/hub.py"]
            // The library's environment has the package `websockets`, too.
            case .websocket: return [try LibraryAgent().python, examples + "/python/hub_websocket.py"]
            case .javascript: return ["node", examples + "/javascript/chat.js"]
            case .swift: return [try Example.compile(examples + "/swift/Sources/hub-example/main.swift", in: folder)]
            }
        }

        /// As code of another package, against the modules that the build has made. That the package itself builds,
        /// scripts/test.sh looks.
        private static func compile(_ source: String, in folder: String) throws -> String {
            let build = TestDaemon.programs
            let modules = [
                "Base", "JSON", "HubProtocol", "EventLoop", "HTTP1", "WebSocket", "Digests", "Client", "CLinux",
                "CVersion",
            ]
            let objects = try modules.flatMap { module in
                let names = try FileManager.default.contentsOfDirectory(atPath: "\(build)/\(module).build")
                return names.filter { $0.hasSuffix(".o") }.map { "\(build)/\(module).build/\($0)" }
            }
            let sources = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../../Sources").path
            let maps =
                ["CLinux", "CVersion"].map { "\(build)/\($0).build/module.modulemap" }
                + ["COpenSSL", "CZlib"].map { "\(sources)/\($0)/module.modulemap" }
            let program = folder + "/hub-example"
            let compiler = try run(
                "swiftc",
                ["-swift-version", "6", "-o", program, source, "-I", build + "/Modules", "-module-name", "example"]
                    + maps.flatMap { ["-Xcc", "-fmodule-map-file=\($0)"] } + objects + ["-lz", "-lssl", "-lcrypto"])
            guard compiler.code == 0 else { throw TestFailure("swiftc: \(compiler.text)") }
            return program
        }
    }

    private func start(_ example: Example, _ text: String, at daemon: TestDaemon) throws -> RunningProgram {
        let command = try example.command(in: daemon.folder.path)
        // Its PATH is the tests' own: programs such as node may be anywhere in it.
        let path = ProcessInfo.processInfo.environment["PATH"] ?? ""
        return try RunningProgram(
            command[0], command.dropFirst() + ["echo", text],
            environment: daemon.environment.merging(["PATH": path]) { $1 }, in: daemon.folder.path)
    }

    /// What it said it heard of the log, and which session it is.
    private func heard(_ program: RunningProgram) -> (session: String, seqs: [Int]) {
        let lines = program.soFar.errors.split(separator: "\n")
        let session = lines.first { $0.hasPrefix("session ") }.map { String($0.dropFirst("session ".count)) }
        return (session ?? "", lines.compactMap { Int($0.split(separator: " ")[0]) })
    }

    @Test(arguments: Example.allCases)
    func converses(_ example: Example) throws {
        let daemon = try TestDaemon.running()
        let program = try start(
            example, "[[text:Grüße]] [[permission:once,reject rm x]] [[stream:20x30@100]]", at: daemon)
        try eventually("it ends: \(program.soFar.text)", within: .seconds(60)) { !program.isRunning }
        #expect(program.soFar.code == 0, "\(program.soFar.text)")
        let (session, seqs) = heard(program)
        let log = try daemon.events(session)
        #expect(seqs == Array(example.firstSeq...log.count))
        let said = log.of("message").filter { $0["source"] == "agent" }
            .compactMap { $0["data"]?["content"]?.stringValue }.joined()
        #expect(program.soFar.output == said + "\n")
        daemon.close()
    }

    @Test(arguments: Example.allCases)
    func comesBack(_ example: Example) throws {
        let daemon = try TestDaemon.running()
        let program = try start(example, "[[text:begin]] [[think:hm]] [[stream:5000x20@100]]", at: daemon)
        try eventually("it streams: \(program.soFar.text)", within: .seconds(60)) {
            program.soFar.output.utf8.count > 100
        }
        try daemon.restart()
        // The turn was cut off.
        try eventually("it ends: \(program.soFar.text)", within: .seconds(60)) { !program.isRunning }
        #expect(program.soFar.code == 1, "\(program.soFar.text)")
        let (session, seqs) = heard(program)
        let last = try #require(try daemon.events(session).first("turn_completed")?.seq)
        #expect(seqs == Array(example.firstSeq...last), "each event once, in order")
        daemon.close()
    }
}
