import Base
import Glibc
import Testing

@testable import EventLoop

@Suite(.serialized) struct TCPListenerTests {
    @Test(arguments: ["127.0.0.1", "::1"]) func acceptsOnAFreePort(host: String) throws {
        let loop = try EventLoop()
        let address = try #require(SocketAddress(numericHost: host, port: 0))
        let listener = try TCPListener(address, loop: loop)
        #expect(listener.localAddress.port != 0)
        #expect(listener.localAddress.host == host)
        #expect(listener.localAddress.isLoopback)
        var accepted: [(Int32, SocketAddress)] = []
        listener.onAccept = { accepted.append(($0, $1)) }
        let client = try Socket.connect(to: listener.localAddress)
        #expect(runUntil(loop) { accepted.count == 1 })
        let (fd, peer) = try #require(accepted.first)
        #expect(peer == Socket.localAddress(of: client))
        #expect(Socket.peerAddress(of: fd) == peer)
        #expect(fcntl(fd, F_GETFL) & O_NONBLOCK != 0)
        #expect(fcntl(fd, F_GETFD) & FD_CLOEXEC != 0)
        #expect(Socket.pendingError(client, "connect") == nil)
        Socket.close(fd)
        Socket.close(client)
        listener.close()
        listener.close()
    }

    @Test func takenPortIsAnError() throws {
        let loop = try EventLoop()
        let listener = try TCPListener(try #require(SocketAddress(numericHost: "127.0.0.1", port: 0)), loop: loop)
        defer { listener.close() }
        let error = #expect(throws: SystemError.self) { try TCPListener(listener.localAddress, loop: loop) }
        #expect(error?.errno == EADDRINUSE)
    }

    @Test func adoptsOnlyListeningSockets() throws {
        let loop = try EventLoop()
        let fd = try Socket.listen(on: try #require(SocketAddress(numericHost: "127.0.0.1", port: 0)))
        _ = setCloseOnExec(fd, false)
        let listener = try TCPListener(adopting: fd, loop: loop)
        #expect(fcntl(fd, F_GETFD) & FD_CLOEXEC != 0)
        let client = try Socket.connect(to: listener.localAddress)
        let error = #expect(throws: SystemError.self) { try TCPListener(adopting: client, loop: loop) }
        #expect(error?.errno == EINVAL)
        Socket.close(client)
        listener.close()
    }

    @Test func pausedListenerLeavesConnectionsWaiting() throws {
        let loop = try EventLoop()
        let listener = try TCPListener(try #require(SocketAddress(numericHost: "127.0.0.1", port: 0)), loop: loop)
        var accepted = 0
        listener.onAccept = { fd, _ in
            accepted += 1
            Socket.close(fd)
        }
        listener.pause()
        let client = try Socket.connect(to: listener.localAddress)
        for _ in 0..<5 { loop.turn(waitingAtMost: .milliseconds(1)) }
        #expect(accepted == 0)
        listener.resume()
        #expect(runUntil(loop) { accepted == 1 })
        Socket.close(client)
        listener.close()
    }

    @Test(arguments: [
        ("127.0.0.1", true), ("127.9.9.9", true), ("::1", true), ("[::1]", true), ("::ffff:127.0.0.1", true),
        ("0.0.0.0", false), ("::", false), ("10.0.0.1", false), ("fe80::1", false), ("::ffff:10.0.0.1", false),
    ]) func loopbackIsRecognised(host: String, expected: Bool) throws {
        let address = try #require(SocketAddress(numericHost: host, port: 1))
        #expect(address.isLoopback == expected)
    }

    @Test(arguments: ["example.org", "", "127.0.0.1.5", "::g"]) func namesAreNotLookedUp(host: String) {
        #expect(throws: SystemError.self) { try SocketAddress.resolve(host: host, port: 80) }
    }

    @Test func localhostIsBothFamilies() throws {
        let addresses = try SocketAddress.resolve(host: "LocalHost", port: 80)
        #expect(addresses.map(\.description) == ["127.0.0.1:80", "[::1]:80"])
    }
}
