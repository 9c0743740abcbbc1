import Base
import CLinux
import EventLoop
import Glibc
import HubProtocol
import JSON
import Processes

/// The program that a restart goes on with.
struct Successor {
    let program: String
    /// As the program itself says.
    let version: String

    /// The program to try: the installed version, which `installed-versions.json` in the home names; when there is none,
    /// the file on disk from which this program was started.
    ///
    /// - Throws: `restart_refused` when what is written there can't be used.
    static func program(home: Home, own: String) throws(Failure) -> String {
        let bytes: [UInt8]
        do throws(SystemError) {
            bytes = try readFile(home.installedVersions, limit: 64 << 10)
        } catch {
            if error.errno == ENOENT { return own }
            throw refusal("\(error)")
        }
        guard let versions = (try? JSON.parse(bytes))?.objectValue else {
            throw refusal("\(home.installedVersions) is no JSON object")
        }
        guard let entry = versions["core"] else { return own }
        guard let version = entry.stringValue, isPlain(version) else {
            throw refusal("\(home.installedVersions) names no version of \"core\"")
        }
        let program = home.installedCore(version)
        try requireOwn(program)
        return program
    }

    /// Whoever else could write there could put a program of theirs in our place.
    private static func requireOwn(_ program: String) throws(Failure) {
        let folder = String(program[..<(program.lastIndex(of: "/") ?? program.startIndex)])
        for path in [program, folder] {
            var information = stat()
            guard stat(path, &information) == 0 else { throw refusal("\(SystemError.current("stat \(path)"))") }
            guard information.st_uid == getuid() || information.st_uid == 0, information.st_mode & 0o022 == 0 else {
                throw refusal("others than this user may write to \(path)")
            }
        }
    }

    /// It becomes a part of a path.
    private static func isPlain(_ version: String) -> Bool {
        (1...64).contains(version.utf8.count) && version.first != "."
            && version.utf8.allSatisfy { byte in
                switch byte {
                case 0x30...0x39, 0x41...0x5a, 0x61...0x7a: true
                default: [UInt8(ascii: "."), UInt8(ascii: "-"), UInt8(ascii: "+"), UInt8(ascii: "_")].contains(byte)
                }
            }
    }

    static func refusal(_ reason: String, _ details: JSONObject = [:]) -> Failure {
        Failure(
            code: "restart_refused", message: "The restart is refused and nothing has changed: \(reason).",
            details: details)
    }

    /// Seconds that the program has for saying its version, and for looking at the configuration.
    private static let trialSeconds = 5

    /// Tries a program before anything is stopped for it: whether it runs at all, and whether it could start with the
    /// configuration as it is now.
    ///
    /// - Parameter arguments: those with which it is to run.
    static func tryOut(
        _ program: String, _ arguments: [String], on loop: EventLoop,
        _ done: @escaping (Result<Successor, Failure>) -> Void
    ) {
        run(program, ["--version"], on: loop) { result in
            switch result {
            case .failure(let failure): done(.failure(failure))
            case .success(let output):
                guard let version = output.split(whereSeparator: \.isWhitespace).last, output.utf8.count < 256 else {
                    return done(.failure(refusal("\(program) says no version", ["program": JSON(program)])))
                }
                let successor = Successor(program: program, version: String(version))
                run(program, arguments + ["--check-config"], on: loop) { done($0.map { _ in successor }) }
            }
        }
    }

    private static func run(
        _ program: String, _ arguments: [String], on loop: EventLoop,
        _ done: @escaping (Result<String, Failure>) -> Void
    ) {
        let command = ([program] + arguments).joined(separator: " ")
        let details: JSONObject = ["program": JSON(program)]
        let child: ChildProcess
        do throws(SpawnError) {
            child = try ChildProcess.spawn(
                ProcessSpecification(executable: program, arguments: arguments, environment: processEnvironment()),
                on: loop)
        } catch {
            return done(.failure(refusal("\(program) can't be run: \(error)", details)))
        }
        var output: [UInt8] = []
        var isLate = false
        child.closeInput()
        child.onOutput = { output.append(contentsOf: $0.prefix(max(0, 4096 - output.count))) }
        let timer = loop.schedule(after: .seconds(trialSeconds)) {
            isLate = true
            child.terminate(.immediate)
        }
        child.onExit = { status in
            timer.cancel()
            guard !isLate else {
                return done(.failure(refusal("\(command) has not ended after \(trialSeconds) seconds", details)))
            }
            guard status == .exited(0) else {
                let said = child.errorTail.split(separator: "\n").suffix(4).joined(separator: " ")
                return done(
                    .failure(refusal("\(command) ended with \(status)\(said.isEmpty ? "" : ": \(said)")", details)))
            }
            done(.success(String(decoding: output, as: UTF8.self)))
        }
    }
}
