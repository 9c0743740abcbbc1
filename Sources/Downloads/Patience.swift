import Base
import Glibc

/// What bounds every wait of a download: its end, and the caller who may have enough of it.
struct Patience {
    /// While the machine sleeps nobody can send anything: that is no time lost.
    typealias Instant = SuspendingClock.Instant

    /// When everything has to be over.
    let end: Instant
    let isCancelled: () -> Bool
    /// How soon somebody who cancels is heard.
    private static let slice = Duration.milliseconds(100)

    init(_ limit: Duration, isCancelled: @escaping () -> Bool) {
        end = .now + limit
        self.isCancelled = isCancelled
    }

    /// - Throws: when the caller has cancelled, or it took too long.
    func check() throws(DownloadError) {
        if isCancelled() { throw DownloadError(.cancelled, "the download was cancelled; what came is kept") }
        guard Instant.now < end else {
            throw DownloadError(.timeout, "the download took longer than it may; what came is kept", reach: .all)
        }
    }

    /// Waits until one of the descriptors is ready.
    /// - Returns: false when `deadline` came first.
    func wait(_ descriptors: inout [pollfd], until deadline: Instant) throws(DownloadError) -> Bool {
        while true {
            try check()
            let left = min(deadline, end) - Instant.now
            if left <= .zero {
                try check()
                return false
            }
            let milliseconds = (min(left, Patience.slice) / .milliseconds(1)).rounded(.up)
            let count = poll(&descriptors, nfds_t(descriptors.count), Int32(milliseconds))
            if count > 0 { return true }
            if count < 0, errno != EINTR, errno != EAGAIN {
                throw DownloadError(.inputOutput, "poll: \(SystemError.text(of: errno))")
            }
        }
    }

    /// The same for one.
    func wait(_ descriptor: Int32, _ events: Int32, until deadline: Instant) throws(DownloadError) -> Bool {
        var one = [pollfd(fd: descriptor, events: Int16(events), revents: 0)]
        return try wait(&one, until: deadline)
    }

    func pause(_ duration: Duration) throws(DownloadError) {
        var none: [pollfd] = []
        _ = try wait(&none, until: .now + duration)
    }
}
