import Foundation
import Synchronization

/// Our programs stand beside this one.
let binaries = URL(fileURLWithPath: CommandLine.arguments[0]).resolvingSymlinksInPath().deletingLastPathComponent()

func binary(_ name: String) -> String { binaries.appendingPathComponent(name).path }

let daemonProgram = ProcessInfo.processInfo.environment["BENCH_DAEMON"] ?? binary("codeai-hub-core")

/// Whether the server can have a core of its own, the first, and the load generator the second.
let canPin =
    ProcessInfo.processInfo.activeProcessorCount >= 2
    && FileManager.default.isExecutableFile(atPath: "/usr/bin/taskset")

/// What was started and hasn't ended; a signal to this program must not leave it running.
let running = Mutex<Set<Int32>>([])

func endEverything() {
    for pid in running.withLock({ $0 }) { kill(pid, SIGKILL) }
}

func makeProcess(_ program: String, _ arguments: [String], core: Int) -> Process {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: canPin ? "/usr/bin/taskset" : program)
    process.arguments = (canPin ? ["-c", "\(core)", program] : []) + arguments
    process.standardInput = FileHandle.nullDevice
    return process
}

/// What all processors together have worked since the start of the machine (proc(5)).
func busySeconds() -> Double {
    guard let text = try? String(contentsOfFile: "/proc/stat", encoding: .utf8) else { return 0 }
    let fields = text.prefix { $0 != "\n" }.split(separator: " ").dropFirst().compactMap { Double($0) }
    guard fields.count >= 8 else { return 0 }
    return (fields[0] + fields[1] + fields[2] + fields[5] + fields[6] + fields[7]) / 100
}

/// Runs a program that prints one line of JSON with numbers.
func measure(_ program: String, _ arguments: [String], core: Int, limit: Double = 120) throws -> [String: Double] {
    let process = makeProcess(program, arguments, core: core)
    let output = Pipe()
    process.standardOutput = output
    try process.run()
    let pid = process.processIdentifier
    running.withLock { _ = $0.insert(pid) }
    let deadline = DispatchWorkItem { kill(pid, SIGKILL) }
    DispatchQueue.global().asyncAfter(deadline: .now() + limit, execute: deadline)
    let data = output.fileHandleForReading.readDataToEndOfFile()
    process.waitUntilExit()
    deadline.cancel()
    running.withLock { _ = $0.remove(pid) }
    let command = ([URL(fileURLWithPath: program).lastPathComponent] + arguments).joined(separator: " ")
    guard process.terminationStatus == 0, process.terminationReason == .exit else {
        throw Problem("\(command) failed")
    }
    guard let object = try? JSONSerialization.jsonObject(with: data) as? [String: NSNumber] else {
        throw Problem("\(command) printed no JSON: \(String(decoding: data, as: UTF8.self))")
    }
    return object.mapValues(\.doubleValue)
}

/// A server under measurement.
final class Server {
    let process: Process
    let port: Int
    var pid: Int32 { process.processIdentifier }

    /// - Throws: when it doesn't say `ready PORT` within 60 s.
    init(_ program: String, _ arguments: [String]) throws {
        process = makeProcess(program, arguments, core: 0)
        let output = Pipe()
        process.standardOutput = output
        try process.run()
        let pid = process.processIdentifier
        running.withLock { _ = $0.insert(pid) }
        let deadline = DispatchWorkItem { kill(pid, SIGKILL) }
        DispatchQueue.global().asyncAfter(deadline: .now() + 60, execute: deadline)
        var text = ""
        var found: Int?
        while found == nil {
            let piece = output.fileHandleForReading.availableData
            if piece.isEmpty { break }
            text += String(decoding: piece, as: UTF8.self)
            if let line = text.split(separator: "\n", omittingEmptySubsequences: false).dropLast().first(where: {
                $0.hasPrefix("ready ")
            }) {
                found = Int(line.dropFirst(6))
            }
        }
        deadline.cancel()
        guard let found else {
            kill(pid, SIGKILL)
            process.waitUntilExit()
            throw Problem("\(program) \(arguments.joined(separator: " ")) did not become ready: \(text)")
        }
        port = found
    }

    /// The daemon on a home of its own.
    init(daemonOn home: Home, unloadAfter: Int = 3600) throws {
        try home.configure(unloadAfter: unloadAfter)
        process = makeProcess("/usr/bin/env", home.environment + [daemonProgram, "--port", "0"], core: 0)
        process.standardOutput = FileHandle.nullDevice
        // When it doesn't start, it says why.
        let complaints = home.folder.appendingPathComponent("stderr.txt")
        try Data().write(to: complaints)
        let errors = try FileHandle(forWritingTo: complaints)
        defer { try? errors.close() }
        process.standardError = errors
        try process.run()
        let pid = process.processIdentifier
        running.withLock { _ = $0.insert(pid) }
        let deadline = Date(timeIntervalSinceNow: 60)
        while home.port == nil, process.isRunning, Date() < deadline { usleep(10_000) }
        guard let found = home.port else {
            kill(pid, SIGKILL)
            process.waitUntilExit()
            let said = (try? String(contentsOf: complaints, encoding: .utf8)) ?? ""
            throw Problem("the daemon did not become ready: \(said.suffix(1000))")
        }
        port = found
    }

    func stop() {
        process.terminate()
        let pid = pid
        let deadline = DispatchWorkItem { kill(pid, SIGKILL) }
        DispatchQueue.global().asyncAfter(deadline: .now() + 10, execute: deadline)
        process.waitUntilExit()
        deadline.cancel()
        running.withLock { _ = $0.remove(pid) }
    }
}
