import EventLoop
import Glibc
import Testing

@testable import Server

private final class NoHandler: HTTPHandler {
    func handle(_ request: HTTPRequest, _ responder: HTTPResponder) {}
}

@Suite struct BindPolicyTests {
    private func makeServer() throws -> HTTPServer {
        HTTPServer(
            loop: try EventLoop(), accessGuard: AccessGuard(AccessGuard.Configuration()), handler: NoHandler())
    }

    @Test(arguments: ["0.0.0.0", "::", "10.0.0.1", "192.168.1.1", "::ffff:10.0.0.1", "fe80::1"])
    func onlyLoopbackIsBound(host: String) throws {
        let server = try makeServer()
        let address = try #require(SocketAddress(numericHost: host, port: 0))
        let error = #expect(throws: ServerError.self) { try server.listen(on: address) }
        #expect(error?.code == .notLoopback)
        #expect(error?.message.contains("127.0.0.1") == true)
    }

    @Test func takenPortSaysSo() throws {
        let server = try makeServer()
        let address = try server.listen(on: try #require(SocketAddress(numericHost: "127.0.0.1", port: 0)))
        let error = #expect(throws: ServerError.self) { try makeServer().listen(on: address) }
        #expect(error?.code == .addressInUse)
    }

    @Test func inheritedSocketsAreHeldToTheSamePolicy() throws {
        let open = try Socket.listen(on: try #require(SocketAddress(numericHost: "0.0.0.0", port: 0)))
        let error = #expect(throws: ServerError.self) { try makeServer().adopt(listening: open) }
        #expect(error?.code == .notLoopback)
        let fine = try Socket.listen(on: try #require(SocketAddress(numericHost: "127.0.0.1", port: 0)))
        let server = try makeServer()
        #expect(try server.adopt(listening: fine).isLoopback)
        #expect(server.release().listening == [fine])
    }
}
