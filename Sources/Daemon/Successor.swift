import Base
import CLinux
import EventLoop
import Glibc
import HubProtocol
import Installations
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
        do throws(InstallationError) {
            guard let version = try VersionsFile(home.installation).version(of: .core) else { return own }
            let program = home.installation.daemon(version)
            // Whoever else could write there could put a program of theirs in our place.
            try InstallationHome.requireOwn(program)
            return program
        } catch {
            throw refusal(error.message)
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
