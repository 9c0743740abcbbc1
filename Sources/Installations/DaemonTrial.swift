package import Base
import Glibc

/// The daemon's part in the trial of its own version: it counts its starts, goes back by itself when there were too many,
/// and says so when it works.
package struct DaemonTrial {
    private let home: InstallationHome
    /// The program that runs, as the kernel names it.
    private let program: String

    package init(_ home: InstallationHome, program: String) {
        self.home = home
        self.program = program
    }

    package enum Start: Equatable {
        /// Nothing is tried, or another program than this one.
        case usual
        /// This is so many'th start of the version on trial.
        case onTrial(starts: Int)
        /// The version on trial has been left: this program is to be executed in the place of this process.
        case wentBack(to: String, reason: String)
    }

    /// To be called before anything else of a start: what a version that doesn't work gets to is not known.
    ///
    /// Never fails: what can't be read or written, or isn't trusted, leaves the start as it is.
    package func begin(now: Timestamp = .now) -> Start {
        guard exists(home.trialFile), (try? home.requireTrusted()) != nil else { return .usual }
        let result = try? home.changingState { () throws(InstallationError) in
            guard var trial = own else { return Start.usual }
            if trial.failure == nil {
                trial.starts += 1
                // A daemon that runs already is none that doesn't work; this start ends by itself.
                guard trial.starts > Trial.mostStarts, !home.holdsDaemon, canGoBack(trial) else {
                    try trial.write(home)
                    return .onTrial(starts: trial.starts)
                }
                trial.failure = Trial.Failure(
                    reason:
                        "started \(Trial.mostStarts) times, it never served for \(Trial.proof.components.seconds) s",
                    at: now)
                try trial.write(home)
            } else if !canGoBack(trial) {
                return .usual
            }
            try home.finishGoingBack(trial)
            return .wentBack(to: home.daemon(trial.previous), reason: trial.failure?.reason ?? "")
        }
        return result ?? .usual
    }

    /// This start was none that could tell anything: it was one too many, or was ended by somebody.
    package func takeBack() {
        guard exists(home.trialFile) else { return }
        _ = try? home.changingState { () throws(InstallationError) in
            guard var trial = own, trial.failure == nil, trial.starts > 0 else { return }
            trial.starts -= 1
            try trial.write(home)
        }
    }

    /// This version works.
    /// - Returns: it, when it was on trial until now.
    @discardableResult
    package func confirm(now: Timestamp = .now) throws(InstallationError) -> Version? {
        guard exists(home.trialFile) else { return nil }
        return try home.changingState { () throws(InstallationError) in
            guard let trial = own, trial.failure == nil else { return nil }
            try home.endTrial(trial, now: now)
            return trial.version
        }
    }

    /// The trial, when it is in force and of this program.
    private var own: Trial? {
        guard let trial = home.trial, home.installed() == trial.version || trial.failure != nil,
            isSameFile(program, home.daemon(trial.version))
        else { return nil }
        return trial
    }

    private func canGoBack(_ trial: Trial) -> Bool {
        home.isWhole(trial.previous) && (try? InstallationHome.requireOwn(home.daemon(trial.previous))) != nil
    }

    private func isSameFile(_ one: String, _ other: String) -> Bool {
        var (a, b) = (stat(), stat())
        return stat(one, &a) == 0 && stat(other, &b) == 0 && a.st_dev == b.st_dev && a.st_ino == b.st_ino
    }
}
