import Base
import CLinux
import EventLoop
import Glibc

/// Finds out which user owns a TCP socket of this machine.
protocol SocketOwnerLookup: AnyObject {
    /// The user whose process holds the socket bound to `local` and connected to `remote`; nil when that cannot be
    /// told for certain.
    func owner(local: SocketAddress, remote: SocketAddress) -> UInt32?
}

/// Whose process is at the other end of a connection. Asked once per connection, when it first matters.
final class PeerIdentity {
    private enum State { case unknown, own, other }

    private let fd: Int32
    private let peer: SocketAddress
    private var state = State.unknown

    init(fd: Int32, peer: SocketAddress) {
        self.fd = fd
        self.peer = peer
    }

    func isOwnProcess(_ owners: any SocketOwnerLookup) -> Bool {
        if state == .unknown {
            state = .other
            // Beyond loopback the other end is not in this machine's table.
            if PeerIdentity.canTell, peer.isLoopback, let local = Socket.localAddress(of: fd), local.isLoopback,
                owners.owner(local: peer, remote: local) == geteuid(), isStillConnected
            {
                state = .own
            }
        }
        return state == .own
    }

    /// As long as this end is connected nobody else's socket can have the same pair of addresses: after a reset the
    /// peer's port could have gone to another process before the kernel was asked.
    private var isStillConnected: Bool {
        var storage = sockaddr_storage()
        var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
        return withUnsafeMutablePointer(to: &storage) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { getpeername(fd, $0, &length) == 0 }
        }
    }

    /// In a user namespace the kernel reports every user that is not mapped into it as this one (user_namespaces(7)):
    /// who runs as it can't tell himself from others.
    private static let overflowUser: uid_t = 65534
    private static var canTell: Bool { geteuid() != overflowUser }
}

/// The kernel's own answer: one exact question over netlink (sock_diag(7)), or the table in /proc where netlink is not
/// to be had.
final class KernelSocketTable: SocketOwnerLookup {
    private var netlink: Int32

    init() {
        netlink = clinux_open_socket_diagnosis()
    }

    deinit {
        if netlink >= 0 { close(netlink) }
    }

    func owner(local: SocketAddress, remote: SocketAddress) -> UInt32? {
        if netlink >= 0 {
            var uid: UInt32 = 0
            let result = local.withSystemAddress { local, _ in
                remote.withSystemAddress { remote, _ in clinux_socket_owner(netlink, local, remote, &uid) }
            }
            if result == 0 { return uid }
            if result == -ENOENT { return nil }
        }
        return ProcSocketTable.owner(local: local, remote: remote)
    }
}

/// /proc/net/tcp and tcp6: a line per socket of this network namespace (proc(5)).
enum ProcSocketTable {
    static func owner(local: SocketAddress, remote: SocketAddress) -> UInt32? {
        guard local.family == remote.family else { return nil }
        let path = local.family == .ipv4 ? "/proc/net/tcp" : "/proc/net/tcp6"
        guard let file = fopen(path, "re") else { return nil }
        defer { fclose(file) }
        let wanted = (text(local), text(remote))
        var line = [CChar](repeating: 0, count: 512)
        while fgets(&line, Int32(line.count), file) != nil {
            let text = String(decoding: line.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
            // sl local remote state queues timer retransmits uid timeout inode
            let fields = text.split(separator: " ", omittingEmptySubsequences: true)
            guard fields.count > 9, fields[1] == wanted.0, fields[2] == wanted.1 else { continue }
            // One that is not connected yet is not the other end.
            guard fields[9] != "0", fields[3] != "02" else { return nil }
            return UInt32(fields[7])
        }
        return nil
    }

    /// The kernel prints each 32-bit word of an address in the machine's byte order.
    static func text(_ address: SocketAddress) -> String {
        var text = ""
        let count = address.family == .ipv4 ? 4 : 16
        for word in stride(from: 0, to: count, by: 4) {
            let bytes = (0..<4).map { address.bytes[word + $0] }
            #if _endian(little)
                text += hexadecimal(bytes.reversed())
            #else
                text += hexadecimal(bytes)
            #endif
        }
        return text.uppercased() + ":"
            + hexadecimal([UInt8(address.port >> 8), UInt8(address.port & 255)]).uppercased()
    }
}

func nanoseconds(_ duration: Duration) -> Int64 { duration.saturatingNanoseconds }
