import Archives
import Backups
import Base
import EchoAgent
import Glibc

/// The daemon's program: what its command line asks for, done.
package enum Program {
    /// - Parameter arguments: without the program's name.
    /// - Returns: the exit code of the process.
    package static func run(_ arguments: [String]) -> Int32 {
        if arguments.first == "echo-agent" { return EchoAgent.run() }
        var manager: ServiceManager?
        do throws(StartError) {
            if arguments.first == "provider-login" {
                return try ProviderLogin.run(Array(arguments.dropFirst()), environment: processEnvironment())
            }
            if arguments.first == "provider-check" {
                return try ProviderCheck.run(Array(arguments.dropFirst()), environment: processEnvironment())
            }
            let parsed = try Arguments(arguments)
            switch parsed.action {
            case .showVersion: print("codeai-hub-core \(Version.current)")
            case .showHelp: print(Arguments.help, terminator: "")
            case .checkConfiguration, .run:
                if parsed.action == .run { OwnTrial.begin(arguments) }
                let inheritance = try parsed.action == .run ? Inheritance.take() : Inheritance()
                if parsed.action == .run { manager = ServiceManager.take() }
                let environment = processEnvironment()
                let home = try Home(environment: environment)
                if parsed.action == .run { try finishRestore(home) }
                let settings = try Settings.load(parsed, home: home, environment: environment)
                guard parsed.action == .run else {
                    print("The configuration is valid.")
                    return 0
                }
                let launch = Daemon.Launch(
                    arguments: arguments, environment: environment, inheritance: inheritance, manager: manager)
                return try Daemon(settings, home: home, launch).run()
            }
            return 0
        } catch {
            // Another daemon was faster, or somebody else has the port: that says nothing about this version.
            if error.exitCode == .alreadyRunning || error.exitCode == .addressInUse { OwnTrial.takeBack() }
            let priority = ServiceLog.isJournal(processEnvironment()["JOURNAL_STREAM"]) ? "<3>" : ""
            try? writeAll(Array("\(priority)codeai-hub-core: \(error.message)\n".utf8), to: STDERR_FILENO, "stderr")
            manager?.tell(["STATUS=\(error.message.split(separator: "\n").joined(separator: " ").prefix(400))"])
            return error.exitCode.rawValue
        }
    }
}

extension Program {
    /// A restore that was cut short has moved some things and not the others: that comes before anything is read.
    private static func finishRestore(_ home: Home) throws(StartError) {
        do throws(ArchiveError) {
            try Restore.finishInterrupted(home: home.path)
        } catch {
            // Whoever holds the home ends the start anyway, with a better message.
            guard error.code != .refused else { return }
            throw StartError("A restore was cut short and can't be finished: \(error.message).")
        }
    }
}

/// The environment of this process.
func processEnvironment() -> [String: String] {
    var result: [String: String] = [:]
    var entry = environ
    while let text = entry.pointee {
        let pair = String(cString: text)
        if let equals = pair.firstIndex(of: "=") {
            result[String(pair[..<equals])] = String(pair[pair.index(after: equals)...])
        }
        entry += 1
    }
    return result
}
