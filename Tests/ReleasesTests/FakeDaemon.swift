import Installations

@testable import Releases

/// A daemon that goes over to a version as a test wants it.
final class FakeDaemon: DaemonControl {
    enum Behaviour {
        case good, slow, refuses, dies, hangs, diesLater, hangsLater, saysOther, startsAgainAndAgain
    }

    private let home: InstallationHome
    /// The version that doesn't behave, and how.
    var bad: (version: String, Behaviour)?
    private(set) var running: String?
    private(set) var isHeld: Bool
    private(set) var did: [String] = []
    private var instance = 1
    private var answers = true
    private var polls = 0
    /// A version it goes over to when its turns have ended.
    private var pending: (version: String, after: Int)?

    init(_ home: InstallationHome, running: String?) {
        self.home = home
        self.running = running
        isHeld = running != nil
    }

    private var behaviour: Behaviour { bad.flatMap { $0.version == running ? $0.1 : nil } ?? .good }

    func health() -> DaemonHealth? {
        guard let running, isHeld else { return nil }
        polls += 1
        if let pending, polls > pending.after {
            self.pending = nil
            take(pending.version)
            return health()
        }
        switch behaviour {
        case .hangs: return nil
        case .hangsLater where polls > 1: return nil
        case .diesLater where polls > 1:
            isHeld = false
            return nil
        case .startsAgainAndAgain: instance += 1
        case .saysOther: return DaemonHealth(version: "9.9.9", instanceId: "\(instance)", turns: 0)
        default: break
        }
        return DaemonHealth(version: running, instanceId: "\(instance)", turns: 1)
    }

    func restart() throws(ReleaseError) {
        let next = home.installed()?.description ?? ""
        did.append("restart \(next)")
        if bad?.version == next, case .refuses? = bad?.1 { throw ReleaseError(.restartFailed, "it can't be run") }
        if bad?.version == next, case .slow? = bad?.1 {
            pending = (next, polls + 4)
        } else {
            take(next)
        }
    }

    func end() {
        did.append("end \(running ?? "")")
        isHeld = false
    }

    func start() throws(ReleaseError) {
        let next = home.installed()?.description ?? ""
        did.append("start \(next)")
        take(next)
    }

    private func take(_ version: String) {
        running = version
        instance += 1
        polls = 0
        isHeld = true
        if case .dies = behaviour { isHeld = false }
    }
}
