import EventLoop
import Glibc

/// More connections than descriptors: the listener refuses what it cannot take, does not spin, and goes on afterwards.
enum DescriptorLimit {
    static func run() throws {
        let loop = try EventLoop()
        guard let address = SocketAddress(numericHost: "127.0.0.1", port: 0) else { exit(2) }
        let listener = try TCPListener(address, loop: loop)
        var accepted: [Int32] = []
        listener.onAccept = { fd, _ in accepted.append(fd) }
        // Both ends are in this process: sockets first, then the limit falls just above what is open.
        var clients: [Int32] = []
        for _ in 0..<20 { clients.append(try Socket.connect(to: listener.localAddress)) }
        let next = dup(0)
        close(next)
        var limit = rlimit(rlim_cur: UInt(next) + 5, rlim_max: UInt(next) + 5)
        setrlimit(__rlimit_resource_t(7), &limit)
        var turns = 0
        let end = monotonicNanoseconds() + 500_000_000
        while monotonicNanoseconds() < end {
            loop.turn(waitingAtMost: .milliseconds(100))
            turns += 1
        }
        print("accepted: \(accepted.count)")
        print("refused: \(listener.refused)")
        print("few turns: \(turns < 100)")
        for fd in accepted + clients { Socket.close(fd) }
        accepted = []
        let again = try Socket.connect(to: listener.localAddress)
        for _ in 0..<10 { loop.turn(waitingAtMost: .milliseconds(50)) }
        print("accepted afterwards: \(accepted.count)")
        Socket.close(again)
        for fd in accepted { Socket.close(fd) }
        listener.close()
    }
}
