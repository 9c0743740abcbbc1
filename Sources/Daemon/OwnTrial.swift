import Base
import EventLoop
import Glibc
import Installations
import JSON

/// What a daemon does when its own version is on trial: see `Trial`.
enum OwnTrial {
    /// Nil without a home: the start itself says so.
    private static var trial: DaemonTrial? {
        guard let path = try? Home.path(processEnvironment()) else { return nil }
        return DaemonTrial(InstallationHome(path: path), program: ownProgram())
    }

    /// Counts this start. When there were too many the version before takes this one's place in the process, with
    /// everything that whoever started it has passed on.
    /// - Parameter arguments: without the program's name.
    static func begin(_ arguments: [String]) {
        guard case .wentBack(let program, let reason) = trial?.begin() else { return }
        let text = "codeai-hub-core: going back to \(program): \(reason)\n"
        try? writeAll(Array(text.utf8), to: STDERR_FILENO, "stderr")
        let words = ([program] + arguments).map { strdup($0) } + [nil]
        execve(program, words, environ)
        // What is in force now can't be executed: this one is better than none.
        try? writeAll(
            Array("codeai-hub-core: \(SystemError.current("execute \(program)"))\n".utf8), to: STDERR_FILENO, "stderr")
    }

    static func takeBack() { trial?.takeBack() }

    /// - Returns: what was confirmed, or why it couldn't be; nil when nothing was on trial.
    static func confirm() -> (version: String?, problem: String?)? {
        do throws(InstallationError) {
            return try trial?.confirm().map { ($0.description, nil) }
        } catch {
            return (nil, error.message)
        }
    }
}

extension Daemon {
    /// The loop turns and the door is open: after a while this version has shown that it works.
    func watchTrial() {
        guard exists(home.installation.trialFile) else { return }
        loop.schedule(after: Trial.proof) { [self] in
            guard !isStopping, let thread = try? EventLoop.startThread(name: "trial") else { return }
            let bound = LoopBound((thread: thread, log: log), loop: loop)
            thread.submit { [loop] in
                let outcome = OwnTrial.confirm()
                loop.submit {
                    bound.value.thread.stop()
                    if let version = outcome?.version {
                        bound.value.log.log(.info, "this version works", ["version": JSON(version)])
                    } else if let problem = outcome?.problem {
                        bound.value.log.log(.error, "the trial can't be ended", ["problem": JSON(problem)])
                    }
                }
            }
        }
    }
}
