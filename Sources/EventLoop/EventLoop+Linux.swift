package import Base
import CLinux
import Glibc

/// A thread that somebody may wait for, once.
struct ThreadHandle: @unchecked Sendable {
    let id: pthread_t

    func detach() { pthread_detach(id) }
}

func currentThreadIdentity() -> UInt { UInt(pthread_self()) }

extension EventLoop {
    /// Makes a loop that runs on a thread of its own, which `stop()` ends. Signals are blocked in that thread.
    package static func startThread(name: String) throws(SystemError) -> EventLoop {
        let loop = try EventLoop()
        loop.giveUpOwnership()
        let start = Unmanaged.passRetained(ThreadStart(loop: loop, name: name))
        var blocked = sigset_t()
        var before = sigset_t()
        sigfillset(&blocked)
        // Inherited by the new thread: signals belong to the main thread.
        pthread_sigmask(SIG_SETMASK, &blocked, &before)
        defer { pthread_sigmask(SIG_SETMASK, &before, nil) }
        var id = pthread_t()
        let error = pthread_create(&id, nil, { runLoopThread($0) }, start.toOpaque())
        guard error == 0 else {
            start.release()
            throw SystemError(errno: error, operation: "pthread_create")
        }
        let handle = ThreadHandle(id: id)
        loop.thread.withLock { $0 = handle }
        return loop
    }

    /// Waits until the thread of `startThread` has ended. From another thread; returns at once the second time.
    package func join() {
        let taken = thread.withLock { handle in
            defer { handle = nil }
            return handle
        }
        if let taken { pthread_join(taken.id, nil) }
    }
}

private final class ThreadStart {
    let loop: EventLoop
    let name: String

    init(loop: EventLoop, name: String) {
        self.loop = loop
        self.name = name
    }
}

private func runLoopThread(_ argument: UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? {
    guard let argument else { return nil }
    let start = Unmanaged<ThreadStart>.fromOpaque(argument).takeRetainedValue()
    // The kernel keeps 15 bytes.
    String(start.name.prefix(15)).withCString { clinux_set_thread_name($0) }
    start.loop.run()
    return nil
}
