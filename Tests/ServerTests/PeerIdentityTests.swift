import Base
import EventLoop
import Glibc
import TestSupport
import Testing

@testable import Server

let geteuidValue = geteuid()

@Suite struct PeerIdentityTests {
    private struct Pair {
        let listener: Int32
        let client: Int32
        let clientAddress: SocketAddress
        let serverAddress: SocketAddress

        init(host: String) throws {
            listener = try Socket.listen(on: try #require(SocketAddress(numericHost: host, port: 0)))
            serverAddress = try #require(Socket.localAddress(of: listener))
            client = try Socket.connect(to: serverAddress)
            clientAddress = try #require(Socket.localAddress(of: client))
        }

        func close() {
            Socket.close(listener)
            Socket.close(client)
        }
    }

    @Test(arguments: ["127.0.0.1", "::1"]) func bothWaysFindTheOwner(host: String) throws {
        let pair = try Pair(host: host)
        defer { pair.close() }
        let table = KernelSocketTable()
        #expect(table.owner(local: pair.clientAddress, remote: pair.serverAddress) == geteuid())
        #expect(ProcSocketTable.owner(local: pair.clientAddress, remote: pair.serverAddress) == geteuid())
    }

    @Test(arguments: ["127.0.0.1", "::1"]) func unknownConnectionsHaveNoOwner(host: String) throws {
        let pair = try Pair(host: host)
        defer { pair.close() }
        var other = pair.clientAddress
        other.port = 1
        let table = KernelSocketTable()
        #expect(table.owner(local: other, remote: pair.serverAddress) == nil)
        #expect(ProcSocketTable.owner(local: other, remote: pair.serverAddress) == nil)
        // The listener must not be taken for the connection.
        #expect(table.owner(local: pair.serverAddress, remote: other) == nil)
    }

    @Test func socketThatNobodyHoldsHasNoOwner() throws {
        let pair = try Pair(host: "127.0.0.1")
        Socket.close(pair.client)
        defer { Socket.close(pair.listener) }
        // The kernel would say root, whoever it was.
        #expect(KernelSocketTable().owner(local: pair.clientAddress, remote: pair.serverAddress) == nil)
        #expect(ProcSocketTable.owner(local: pair.clientAddress, remote: pair.serverAddress) == nil)
    }

    /// After a reset the peer's port is free: whoever takes it is not the one who sent the request.
    @Test func aPeerThatIsGoneIsNobody() throws {
        final class Everybody: SocketOwnerLookup {
            func owner(local: SocketAddress, remote: SocketAddress) -> UInt32? { geteuid() }
        }
        let pair = try Pair(host: "127.0.0.1")
        defer { Socket.close(pair.listener) }
        var accepted: Int32 = -1
        for _ in 0..<1000 where accepted < 0 {
            accepted = accept(pair.listener, nil, nil)
            if accepted < 0 { usleep(1000) }
        }
        defer { Socket.close(accepted) }
        #expect(PeerIdentity(fd: accepted, peer: pair.clientAddress).isOwnProcess(Everybody()))
        var linger = linger(l_onoff: 1, l_linger: 0)
        setsockopt(pair.client, SOL_SOCKET, SO_LINGER, &linger, socklen_t(MemoryLayout<Glibc.linger>.size))
        Socket.close(pair.client)
        #expect(!PeerIdentity(fd: accepted, peer: pair.clientAddress).isOwnProcess(Everybody()))
    }

    /// Another user really is another user; needs the right to become one.
    @Test(.enabled(if: geteuidValue == 0)) func otherUsersAreAskedForTheToken() throws {
        let server = try ServerUnderTest { _, responder in responder.respond(status: 200) }
        let script = """
            import os, socket
            "x".encode("idna")  # Loaded while the library can still be read.
            os.setuid(65534)
            s = socket.create_connection(("127.0.0.1", \(server.port)))
            s.sendall(b"GET / HTTP/1.1\\r\\nHost: 127.0.0.1:\(server.port)\\r\\n\\r\\n")
            import sys
            sys.exit(0 if b" 401 " in s.recv(1000) else 1)
            """
        let status = "python3 -c '\(script.replacing("'", with: "'\\''"))'".withCString { system($0) }
        #expect(status == 0)
        #expect(server.metrics.requestsForbidden == 1)
    }
}
