import Base
import CLinux
import EventLoop
import Glibc

/// The service manager that started this daemon and wants to hear how it is, as sd_notify(3) describes: datagrams of
/// `NAME=value` lines to the socket that `NOTIFY_SOCKET` names.
struct ServiceManager {
    /// A path, or after an `@` a name of Linux's own.
    private let address: [UInt8]
    /// The longest that the daemon may be silent; nil: nobody watches it.
    let watchdog: Duration?
    /// As they were, for the program that takes this one's place.
    private let variables: [String: String]

    private static let names = ["NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"]

    /// Takes it out of the environment, so that no child speaks in the daemon's name.
    /// - Returns: nil when nobody wants to hear anything.
    static func take() -> ServiceManager? {
        let environment = processEnvironment().filter { names.contains($0.key) }
        for name in names { unsetenv(name) }
        return ServiceManager(environment)
    }

    init?(_ variables: [String: String], pid: Int32 = getpid()) {
        guard let path = variables["NOTIFY_SOCKET"], path.hasPrefix("/") || path.hasPrefix("@") else { return nil }
        address = Array(path.utf8)
        guard (2..<MemoryLayout.size(ofValue: sockaddr_un().sun_path)).contains(address.count) else { return nil }
        self.variables = variables
        // Without WATCHDOG_PID it means whoever reads it.
        let isMeant = variables["WATCHDOG_PID"].map { Int32($0) == pid } ?? true
        let microseconds = variables["WATCHDOG_USEC"].flatMap { Int64($0) } ?? 0
        watchdog = isMeant && microseconds > 0 ? .microseconds(microseconds) : nil
    }

    /// For the program that this process executes next.
    func passOn() { for (name, value) in variables { setenv(name, value, 1) } }

    /// Sends without waiting.
    /// - Returns: whether trying again makes no sense: it was sent, or can't be at all.
    @discardableResult
    func tell(_ lines: [String]) -> Bool {
        let file = socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard file >= 0 else { return false }
        defer { close(file) }
        let message = Array(lines.joined(separator: "\n").utf8)
        var name = sockaddr_un()
        name.sun_family = sa_family_t(AF_UNIX)
        var bytes = address
        if bytes[0] == UInt8(ascii: "@") { bytes[0] = 0 }
        withUnsafeMutableBytes(of: &name.sun_path) { $0.copyBytes(from: bytes) }
        let length = socklen_t(MemoryLayout<sockaddr_un>.offset(of: \.sun_path)! + bytes.count)
        let sent = withUnsafePointer(to: &name) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                sendto(file, message, message.count, Int32(MSG_NOSIGNAL | MSG_DONTWAIT), $0, length)
            }
        }
        return sent >= 0 || (errno != EAGAIN && errno != ENOBUFS && errno != EINTR)
    }
}

/// What the daemon tells its service manager in its life. Confined to the loop: while that hangs, nothing is told, and
/// that is what a watchdog waits for.
final class ServiceNotifier {
    private let manager: ServiceManager
    private let loop: EventLoop
    /// A sentence on how it goes.
    private let summary: () -> String
    private var lastSummary = ""
    private var isEnding = false
    /// What the manager's full queue has not taken yet, oldest first.
    private var unsent: [[String]] = []

    private static let summaryInterval = Duration.seconds(5)
    private static let retryInterval = Duration.milliseconds(100)
    private static let mostUnsent = 16

    init(_ manager: ServiceManager, loop: EventLoop, summary: @escaping () -> String) {
        self.manager = manager
        self.loop = loop
        self.summary = summary
    }

    /// It serves: from now on signs of life are owed.
    func serves() {
        lastSummary = summary()
        tell(["READY=1", "STATUS=\(lastSummary)"])
        beat()
        watchSummary()
    }

    /// Another program takes this one's place in the process, and says itself when it serves.
    func restarts(within time: Duration) {
        isEnding = true
        tell([
            "RELOADING=1", "MONOTONIC_USEC=\(ServiceNotifier.monotonicMicroseconds)",
            "STATUS=Restarting: turns may end",
            ServiceNotifier.extend(by: time),
        ])
    }

    /// - Parameter time: the longest that it takes.
    func stops(within time: Duration) {
        isEnding = true
        tell(["STOPPING=1", "STATUS=Stopping: turns may end", ServiceNotifier.extend(by: time)])
    }

    /// The last word of this program before the next one is executed.
    func handsOver() {
        if manager.watchdog != nil { manager.tell(["WATCHDOG=1"]) }
        manager.passOn()
    }

    /// Half of what the manager waits for, as sd_watchdog_enabled(3) asks.
    private func beat() {
        guard let watchdog = manager.watchdog else { return }
        // Behind others it would come no sooner.
        if unsent.isEmpty { tell(["WATCHDOG=1"]) }
        loop.schedule(after: max(watchdog / 2, .milliseconds(1))) { [weak self] in self?.beat() }
    }

    private func watchSummary() {
        loop.schedule(after: ServiceNotifier.summaryInterval) { [weak self] in
            guard let self, !isEnding else { return }
            let text = summary()
            if text != lastSummary { tell(["STATUS=\(text)"]) }
            lastSummary = text
            watchSummary()
        }
    }

    private func tell(_ lines: [String]) {
        unsent.append(lines)
        guard unsent.count == 1 else {
            if unsent.count > ServiceNotifier.mostUnsent { unsent.removeFirst() }
            return
        }
        flush()
    }

    private func flush() {
        while let first = unsent.first {
            guard manager.tell(first) else {
                loop.schedule(after: ServiceNotifier.retryInterval) { [weak self] in self?.flush() }
                return
            }
            unsent.removeFirst()
        }
    }

    private static func extend(by time: Duration) -> String {
        "EXTEND_TIMEOUT_USEC=\(time.components.seconds * 1_000_000)"
    }

    private static var monotonicMicroseconds: Int64 {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return Int64(time.tv_sec) * 1_000_000 + Int64(time.tv_nsec) / 1000
    }
}
