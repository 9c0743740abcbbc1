import Base
import JSON
import TestSupport
import Testing

@testable import Client

@Suite(.timeLimit(.minutes(10)))
struct RequestTests {
    @Test("requests share one connection")
    func keepAlive() async throws {
        let daemon = try await FakeDaemon { $0.answer = { request in (200, ["target": JSON(request.target)]) } }
        let client = try HubClient(endpoint: daemon.endpoint)
        for index in 0..<5 {
            #expect(
                try await client.call("GET", "/sessions?limit=\(index)")["target"] == "/api/v1/sessions?limit=\(index)")
        }
        #expect(await daemon.on { $0.connections } == 1)
    }

    @Test("a GET is repeated when the daemon closed the idle connection, a POST is not sent on it")
    func staleConnection() async throws {
        let daemon = try await FakeDaemon { _ in }
        let client = try HubClient(endpoint: daemon.endpoint)
        _ = try await client.call("GET", "/health")
        await daemon.on { state in for peer in state.peers { peer.drop() } }
        #expect(try await client.call("GET", "/health")["status"] == "ok")
        #expect(await daemon.on { $0.connections } == 2)
    }

    @Test("an error's code and status come through")
    func refusal() async throws {
        let daemon = try await FakeDaemon {
            $0.answer = { _ in (404, ["error": ["code": "session_not_found", "message": "there is no session x"]]) }
        }
        let client = try HubClient(endpoint: daemon.endpoint)
        await #expect { try await client.call("GET", "/sessions/x") } throws: {
            $0 as? HubError
                == HubError(.rejected, "there is no session x", answer: "session_not_found", status: 404)
        }
    }

    @Test("no body is null")
    func empty() async throws {
        let daemon = try await FakeDaemon { $0.answer = { _ in (204, .null) } }
        let client = try HubClient(endpoint: daemon.endpoint)
        #expect(try await client.call("DELETE", "/sessions/x") == .null)
        #expect(try await client.call("DELETE", "/sessions/y") == .null)
    }

    @Test("a daemon that dies before it answers is an error, not a hang")
    func dies() async throws {
        let daemon = try await FakeDaemon { $0.answer = { _ in nil } }
        let client = try HubClient(endpoint: daemon.endpoint)
        await #expect { try await client.call("POST", "/sessions", [:]) } throws: {
            ($0 as? HubError)?.code == .connectionLost
        }
    }

    @Test("requests after close fail at once")
    func closed() async throws {
        let daemon = try await FakeDaemon { _ in }
        let client = try HubClient(endpoint: daemon.endpoint)
        _ = try await client.call("GET", "/health")
        client.close()
    }

    @Test("a target that could break the request's head is refused")
    func injection() async throws {
        let daemon = try await FakeDaemon { _ in }
        let client = try HubClient(endpoint: daemon.endpoint)
        await #expect { _ = try await client.request("GET", "/x HTTP/1.1\r\nhost: evil") } throws: {
            ($0 as? HubError)?.code == .invalidAnswer
        }
        #expect(await daemon.on { $0.connections } == 1)
    }
}
