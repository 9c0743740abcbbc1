import Glibc

/// Looks whether a daemon that was restarted is as good as the one before.
struct DaemonWatch {
    let daemon: any DaemonControl
    /// The instance that goes away.
    let before: String
    let version: String
    /// How long it must be in good health.
    let duration: Duration
    let report: (ReleaseEvent) -> Void
    let isCancelled: () -> Bool

    /// Running turns get their grace, ten minutes at most by the settings.
    static let longestGrace = Duration.seconds(660)
    /// Since the last answer of the old instance: what a start takes with very many sessions on a slow disk, and more.
    let longestSilence: Duration

    /// Why it isn't.
    struct Failing: Error {
        var reason: String
        var isCancelled = false
    }

    /// Stands still while the machine sleeps: nobody can answer then.
    private let clock = SuspendingClock()

    init(
        daemon: any DaemonControl, before: String, version: String, duration: Duration,
        longestSilence: Duration, report: @escaping (ReleaseEvent) -> Void, isCancelled: @escaping () -> Bool
    ) {
        self.daemon = daemon
        self.before = before
        self.version = version
        self.duration = duration
        self.longestSilence = longestSilence
        self.report = report
        self.isCancelled = isCancelled
    }

    func run() throws(Failing) {
        let first = try successor()
        try check(first)
        try watch(first.instanceId)
    }

    /// Waits until another instance answers.
    private func successor() throws(Failing) -> DaemonHealth {
        let begin = clock.now
        var lastAnswer = begin
        var lastSeen = begin
        while true {
            try checkCancelled()
            if let health = daemon.health() {
                if health.instanceId != before { return health }
                lastAnswer = clock.now
                guard lastAnswer - begin < DaemonWatch.longestGrace else {
                    throw Failing(reason: "the daemon had not restarted after \(DaemonWatch.longestGrace)")
                }
            }
            // In a restart somebody always holds the home; only a service starts a daemon again that has died.
            if daemon.isHeld { lastSeen = clock.now }
            guard clock.now - lastSeen < .seconds(1) else { throw Failing(reason: "the new daemon has ended") }
            guard clock.now - lastAnswer < longestSilence else {
                throw Failing(reason: "the new daemon answers nothing")
            }
            usleep(20_000)
        }
    }

    private func watch(_ instance: String) throws(Failing) {
        let begin = clock.now
        var instance = instance
        var misses = 0
        var restarts = 0
        var reported = -1
        while clock.now - begin < duration {
            try checkCancelled()
            let passed = milliseconds(clock.now - begin)
            if passed / 1000 > reported {
                reported = passed / 1000
                report(.watching(milliseconds: passed, of: milliseconds(duration)))
            }
            if let health = daemon.health() {
                misses = 0
                try check(health)
                // Once it may have been told to.
                if health.instanceId != instance { restarts += 1 }
                guard restarts < 2 else { throw Failing(reason: "the new daemon ends and is started again and again") }
                instance = health.instanceId
            } else {
                misses += 1
                guard misses < 2 else {
                    throw Failing(
                        reason: daemon.isHeld ? "the new daemon answers nothing any more" : "the new daemon has ended")
                }
            }
            usleep(100_000)
        }
    }

    private func check(_ health: DaemonHealth) throws(Failing) {
        guard health.version == version else {
            throw Failing(reason: "the new daemon says that it is version \(health.version), not \(version)")
        }
    }

    private func checkCancelled() throws(Failing) {
        if isCancelled() { throw Failing(reason: "cancelled", isCancelled: true) }
    }

    private func milliseconds(_ duration: Duration) -> Int { Int(duration / .milliseconds(1)) }
}
