import Base
import CLinux
import Glibc
import Server

/// Descriptors that whoever started this program has opened for it: a service manager that activates it by its socket, or
/// the daemon that ran in this process before a restart. Both pass them alike, as sd_listen_fds(3) describes:
/// `LISTEN_FDS` of them from 3 on, for the process `LISTEN_PID`, with `LISTEN_FDNAMES`.
struct Inheritance {
    /// Listening sockets of the service manager's: where to listen is its decision.
    private(set) var activated: [Int32] = []
    /// Listening sockets of the daemon before: they are kept as long as the configuration still wants them.
    private(set) var listening: [Int32] = []
    /// Kept-alive connections of the daemon before, each between two requests.
    private(set) var connections: [Int32] = []
    /// The home's lock, held by the daemon before without a break. Only a daemon that ended well passes it on.
    private(set) var lock: Int32?

    var hasPredecessor: Bool { lock != nil }

    /// The names under which a daemon passes on what is its own. Others are a service manager's.
    private enum Name {
        static let lock = "hub-lock"
        static let listening = "hub-listening"
        static let connection = "hub-connection"
    }

    private static let first: Int32 = 3

    /// Takes what is there out of the environment, so that no child believes it is meant.
    /// - Throws: when a descriptor that is to be listened on is no listening stream socket.
    static func take() throws(StartError) -> Inheritance {
        let environment = processEnvironment()
        for name in ["LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"] { unsetenv(name) }
        var inheritance = Inheritance()
        guard environment["LISTEN_PID"].flatMap(Int32.init) == getpid() else {
            forEachDescriptor { close($0) }
            return inheritance
        }
        guard let count = environment["LISTEN_FDS"].flatMap(Int32.init), (0...8192).contains(count) else {
            throw StartError("LISTEN_FDS is no number of descriptors.", exitCode: .configuration)
        }
        let names = (environment["LISTEN_FDNAMES"] ?? "").split(separator: ":", omittingEmptySubsequences: false)
        for fd in first..<first + count {
            guard fcntl(fd, F_SETFD, FD_CLOEXEC) == 0 else {
                throw StartError("LISTEN_FDS passes descriptor \(fd), which isn't open.", exitCode: .configuration)
            }
            let index = Int(fd - first)
            switch index < names.count ? String(names[index]) : "" {
            case Name.lock: inheritance.lock = fd
            case Name.connection: inheritance.connections.append(fd)
            case Name.listening:
                try requireListening(fd)
                inheritance.listening.append(fd)
            default:
                try requireListening(fd)
                inheritance.activated.append(fd)
            }
        }
        // What else the starter has left open is its own affair: somebody may wait for its end.
        forEachDescriptor { if $0 >= first + count { close($0) } }
        if !inheritance.hasPredecessor { inheritance.dropForeign() }
        return inheritance
    }

    /// Without the lock there was no daemon before: whatever calls itself one's is none of ours.
    private mutating func dropForeign() {
        for fd in connections { close(fd) }
        connections = []
        activated += listening
        listening = []
    }

    private static func requireListening(_ fd: Int32) throws(StartError) {
        let family = option(fd, SO_DOMAIN)
        guard option(fd, SO_ACCEPTCONN) == 1, option(fd, SO_TYPE) == Int32(SOCK_STREAM.rawValue),
            family == AF_INET || family == AF_INET6
        else {
            throw StartError(
                "LISTEN_FDS passes descriptor \(fd), which isn't a listening TCP socket.", exitCode: .configuration)
        }
    }

    private static func option(_ fd: Int32, _ name: Int32) -> Int32 {
        var value: Int32 = -1
        var length = socklen_t(MemoryLayout<Int32>.size)
        return getsockopt(fd, SOL_SOCKET, name, &value, &length) == 0 ? value : -1
    }

    // MARK: Passing it on

    /// What a daemon passes on.
    struct Will {
        var lock: Int32
        var activated: [Int32]
        var listening: [Int32]
        var connections: [Int32]
    }

    /// Has another program take this one's place in the process. Nothing is closed that is passed on; everything else is.
    ///
    /// - Parameter failed: told when the program could not be executed after all; then this one's own image is, so that
    ///   the daemon is never gone.
    static func pass(
        _ will: Will, to program: String, _ arguments: [String], failed: (SystemError) -> Void
    ) -> Never {
        let named =
            [(will.lock, Name.lock)] + will.activated.map { ($0, "activated") }
            + will.listening.map { ($0, Name.listening) } + will.connections.map { ($0, Name.connection) }
        // First out of the range that is written to. One for which there is no room is lost: a connection, they are last.
        let last = first + Int32(named.count)
        let raised = named.map { (fcntl($0.0, F_DUPFD_CLOEXEC, last), $0.1) }.filter { $0.0 >= 0 }
        // All of it should have the mark already; a library's may not.
        forEachDescriptor { _ = fcntl($0, F_SETFD, FD_CLOEXEC) }
        for (index, (fd, _)) in raised.enumerated() { dup2(fd, first + Int32(index)) }

        setenv("LISTEN_PID", "\(getpid())", 1)
        setenv("LISTEN_FDS", "\(raised.count)", 1)
        setenv("LISTEN_FDNAMES", raised.map(\.1).joined(separator: ":"), 1)
        execute(program, program, arguments)
        failed(SystemError.current("execve \(program)"))
        execute("/proc/self/exe", CommandLine.arguments[0], arguments)
        _exit(1)
    }

    private static func execute(_ file: String, _ name: String, _ arguments: [String]) {
        let words = ([name] + arguments).map { strdup($0) } + [nil]
        execve(file, words, environ)
    }

    /// What is open, but for the standard streams.
    private static func forEachDescriptor(_ body: (Int32) -> Void) {
        guard let folder = opendir("/proc/self/fd") else { return }
        defer { closedir(folder) }
        while let entry = readdir(folder) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            if let fd = Int32(name), fd >= first, fd != dirfd(folder) { body(fd) }
        }
    }

    /// The threads of this process. While there are others than the loop's, numbers of descriptors that they use must not
    /// come to mean something else.
    static func isAlone(within limit: Int = 1000) -> Bool {
        for _ in 0...limit {
            var information = stat()
            // A folder's links: two, and one for each folder in it.
            if stat("/proc/self/task", &information) == 0, information.st_nlink == 3 { return true }
            usleep(1000)
        }
        return false
    }
}
