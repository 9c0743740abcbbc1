import Base
import CLinux
import Glibc

/// The kernel's side of the loop: an epoll instance and an event descriptor that wakes it.
///
/// Only `wake` may be called from other threads.
final class Poller: @unchecked Sendable {
    struct Event {
        let token: UInt64
        let readiness: Readiness
    }

    /// Events taken in one turn: what is due in timers and phases never waits for more than this many handlers.
    static let eventsPerTurn = 256
    /// The token of the event descriptor; no registration has it, because generations start at 1.
    private static let wakeToken: UInt64 = 0

    private let epoll: Int32
    private let waker: Int32
    private let events = UnsafeMutablePointer<epoll_event>.allocate(capacity: eventsPerTurn)

    init() throws(SystemError) {
        epoll = epoll_create1(Int32(EPOLL_CLOEXEC))
        guard epoll >= 0 else {
            waker = -1
            throw SystemError.current("epoll_create1")
        }
        waker = eventfd(0, Int32(EFD_CLOEXEC | EFD_NONBLOCK))
        guard waker >= 0 else { throw SystemError.current("eventfd") }
        try add(waker, .read, token: Poller.wakeToken)
    }

    deinit {
        if epoll >= 0 { close(epoll) }
        if waker >= 0 { close(waker) }
        events.deallocate()
    }

    func add(_ fd: Int32, _ interest: Interest, token: UInt64) throws(SystemError) {
        var event = epoll_event(events: mask(interest), data: epoll_data_t(u64: token))
        guard epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) == 0 else {
            throw SystemError.current("epoll_ctl add \(fd)")
        }
    }

    func modify(_ fd: Int32, _ interest: Interest, token: UInt64) {
        var event = epoll_event(events: mask(interest), data: epoll_data_t(u64: token))
        // Fails only for a descriptor that was closed without being deregistered.
        let result = epoll_ctl(epoll, EPOLL_CTL_MOD, fd, &event)
        assert(result == 0, "epoll_ctl mod \(fd): errno \(errno)")
    }

    func remove(_ fd: Int32) {
        _ = epoll_ctl(epoll, EPOLL_CTL_DEL, fd, nil)
    }

    /// Waits, and returns how many events can be read with `event(at:)`. `Int64.max` waits without end.
    func wait(nanoseconds: Int64) -> Int {
        // Rounded up: a loop woken before its timer is due would spin until it is.
        let milliseconds =
            nanoseconds == .max ? -1 : Int32(clamping: nanoseconds / 1_000_000 + (nanoseconds % 1_000_000 > 0 ? 1 : 0))
        let count = epoll_wait(epoll, events, Int32(Poller.eventsPerTurn), milliseconds)
        guard count > 0 else {
            precondition(count == 0 || errno == EINTR, "epoll_wait: errno \(errno)")
            return 0
        }
        return Int(count)
    }

    func event(at index: Int) -> Event {
        let event = events[index]
        if event.data.u64 == Poller.wakeToken {
            var counter: UInt64 = 0
            _ = read(waker, &counter, 8)
        }
        var readiness: Readiness = []
        if event.events & EPOLLIN.rawValue != 0 { readiness.insert(.readable) }
        if event.events & EPOLLOUT.rawValue != 0 { readiness.insert(.writable) }
        if event.events & EPOLLHUP.rawValue != 0 { readiness.insert(.hangup) }
        if event.events & EPOLLERR.rawValue != 0 { readiness.insert(.error) }
        return Event(token: event.data.u64, readiness: readiness)
    }

    func wake() {
        var one: UInt64 = 1
        _ = write(waker, &one, 8)
    }

    private func mask(_ interest: Interest) -> UInt32 {
        var mask: UInt32 = 0
        if interest.contains(.read) { mask |= EPOLLIN.rawValue }
        if interest.contains(.write) { mask |= EPOLLOUT.rawValue }
        return mask
    }
}

let badFileDescriptor = EBADF
let alreadyExists = EEXIST

/// `CLOCK_MONOTONIC` in nanoseconds.
package func monotonicNanoseconds() -> Int64 {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return Int64(time.tv_sec) &* 1_000_000_000 &+ Int64(time.tv_nsec)
}

/// A write to a pipe whose reader has gone must be an error of that write, not the end of the process.
/// Sockets do without it (MSG_NOSIGNAL), pipes cannot. So must one beyond the limit of a file's size (RLIMIT_FSIZE):
/// that is a full disk like any other. Spawned children get the default disposition back.
func ignoreWriteSignals() {
    _ = writeSignalsAreIgnored
}

private let writeSignalsAreIgnored: Bool = {
    signal(SIGPIPE, SIG_IGN)
    signal(SIGXFSZ, SIG_IGN)
    return true
}()
