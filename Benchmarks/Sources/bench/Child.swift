import Foundation
import Synchronization

/// What was started and hasn't ended; a signal to this program must not leave it running.
private let running = Mutex<Set<Int32>>([])

func endEverything() {
    for pid in running.withLock({ $0 }) { kill(pid, SIGKILL) }
}

/// A program that was started and is waited for. Not Foundation's `Process`, whose wait now and then misses the end of a
/// child and goes on for ever.
final class Child {
    let pid: Int32
    /// What came of it (waitpid(2)), as soon as somebody has waited.
    private var status: Int32?

    /// - Parameters:
    ///   - core: which processor it is to run on, where it can be chosen.
    ///   - output: where its standard output goes; nowhere when not given. It stays the caller's.
    init(_ program: String, _ arguments: [String], core: Int, output: Int32? = nil, errors: Int32? = nil) throws {
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDWR, 0)
        posix_spawn_file_actions_adddup2(&actions, output ?? 0, 1)
        if let errors { posix_spawn_file_actions_adddup2(&actions, errors, 2) }
        // Those that this program takes from a queue are ignored by it, and a program inherits that.
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        var handled = sigset_t()
        sigemptyset(&handled)
        for signal in [SIGINT, SIGTERM, SIGHUP] { sigaddset(&handled, signal) }
        posix_spawnattr_setsigdefault(&attributes, &handled)
        posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGDEF))
        let words = (canPin ? ["/usr/bin/taskset", "-c", "\(core)"] : []) + [program] + arguments
        var argv = words.map { strdup($0) } + [nil]
        defer { for pointer in argv { free(pointer) } }
        var pid: pid_t = 0
        let error = posix_spawn(&pid, words[0], &actions, &attributes, &argv, environ)
        guard error == 0 else { throw Problem("cannot start \(program): \(String(cString: strerror(error)))") }
        self.pid = pid
        running.withLock { _ = $0.insert(pid) }
    }

    var isRunning: Bool {
        guard status == nil else { return false }
        return !hasEnded(WNOHANG)
    }

    var succeeded: Bool { status == 0 }

    func end(_ signal: Int32) {
        if status == nil { kill(pid, signal) }
    }

    func wait() {
        while status == nil { _ = hasEnded(0) }
    }

    private func hasEnded(_ options: Int32) -> Bool {
        var status: Int32 = 0
        guard waitpid(pid, &status, options) == pid else { return false }
        self.status = status
        running.withLock { _ = $0.remove(pid) }
        return true
    }

    /// Ends it by force when `body` takes longer than that.
    func within<Result>(_ seconds: Double, _ body: () throws -> Result) rethrows -> Result {
        let pid = pid
        let deadline = DispatchWorkItem { kill(pid, SIGKILL) }
        DispatchQueue.global().asyncAfter(deadline: .now() + seconds, execute: deadline)
        defer { deadline.cancel() }
        return try body()
    }
}

/// A pipe from a child: it writes, we read.
struct ChildPipe {
    let reading: FileHandle
    private let writing: FileHandle

    var writer: Int32 { writing.fileDescriptor }

    init() {
        let pipe = Pipe()
        reading = pipe.fileHandleForReading
        writing = pipe.fileHandleForWriting
        // Other children must not keep it open.
        for file in [reading.fileDescriptor, writer] { _ = fcntl(file, F_SETFD, FD_CLOEXEC) }
    }

    /// The end is only seen when nobody else has the writing end.
    func closeWriter() { try? writing.close() }
}
