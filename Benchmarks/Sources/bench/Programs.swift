import Foundation

/// Our programs stand beside this one.
let binaries = URL(fileURLWithPath: CommandLine.arguments[0]).resolvingSymlinksInPath().deletingLastPathComponent()

func binary(_ name: String) -> String { binaries.appendingPathComponent(name).path }

let daemonProgram = ProcessInfo.processInfo.environment["BENCH_DAEMON"] ?? binary("codeai-hub-core")

/// Whether the server can have a core of its own, the first, and the load generator the second.
let canPin =
    ProcessInfo.processInfo.activeProcessorCount >= 2
    && FileManager.default.isExecutableFile(atPath: "/usr/bin/taskset")

/// What all processors together have worked since the start of the machine (proc(5)).
func busySeconds() -> Double {
    guard let text = try? String(contentsOfFile: "/proc/stat", encoding: .utf8) else { return 0 }
    let fields = text.prefix { $0 != "\n" }.split(separator: " ").dropFirst().compactMap { Double($0) }
    guard fields.count >= 8 else { return 0 }
    return (fields[0] + fields[1] + fields[2] + fields[5] + fields[6] + fields[7]) / 100
}

/// Runs a program that prints one line of JSON with numbers.
func measure(_ program: String, _ arguments: [String], core: Int, limit: Double = 120) throws -> [String: Double] {
    let output = ChildPipe()
    let child = try Child(program, arguments, core: core, output: output.writer)
    output.closeWriter()
    let data = child.within(limit) {
        let data = output.reading.readDataToEndOfFile()
        child.wait()
        return data
    }
    let command = ([URL(fileURLWithPath: program).lastPathComponent] + arguments).joined(separator: " ")
    guard child.succeeded else {
        throw Problem("\(command) failed")
    }
    guard let object = try? JSONSerialization.jsonObject(with: data) as? [String: NSNumber] else {
        throw Problem("\(command) printed no JSON: \(String(decoding: data, as: UTF8.self))")
    }
    return object.mapValues(\.doubleValue)
}

/// A server under measurement.
final class Server {
    private let child: Child
    let port: Int
    var pid: Int32 { child.pid }

    /// - Throws: when it doesn't say `ready PORT` within 60 s.
    init(_ program: String, _ arguments: [String]) throws {
        let output = ChildPipe()
        child = try Child(program, arguments, core: 0, output: output.writer)
        output.closeWriter()
        var text = ""
        let found: Int? = child.within(60) {
            while true {
                let piece = output.reading.availableData
                if piece.isEmpty { return nil }
                text += String(decoding: piece, as: UTF8.self)
                let lines = text.split(separator: "\n", omittingEmptySubsequences: false).dropLast()
                if let line = lines.first(where: { $0.hasPrefix("ready ") }) { return Int(line.dropFirst(6)) }
            }
        }
        guard let found else {
            child.end(SIGKILL)
            child.wait()
            throw Problem("\(program) \(arguments.joined(separator: " ")) did not become ready: \(text)")
        }
        port = found
    }

    /// The daemon on a home of its own.
    init(daemonOn home: Home, unloadAfter: Int = 3600) throws {
        try home.configure(unloadAfter: unloadAfter)
        // When it doesn't start, it says why.
        let complaints = home.folder.appendingPathComponent("stderr.txt")
        try Data().write(to: complaints)
        let errors = try FileHandle(forWritingTo: complaints)
        defer { try? errors.close() }
        child = try Child(
            "/usr/bin/env", home.environment + [daemonProgram, "--port", "0"], core: 0, errors: errors.fileDescriptor)
        let deadline = Date(timeIntervalSinceNow: 60)
        while home.port == nil, child.isRunning, Date() < deadline { usleep(10_000) }
        guard let found = home.port else {
            child.end(SIGKILL)
            child.wait()
            let said = (try? String(contentsOf: complaints, encoding: .utf8)) ?? ""
            throw Problem("the daemon did not become ready: \(said.suffix(1000))")
        }
        port = found
    }

    func stop() {
        child.end(SIGTERM)
        child.within(10) { child.wait() }
    }
}
