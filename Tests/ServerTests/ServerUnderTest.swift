import Base
import Dispatch
import EventLoop
import HTTP1
import TestSupport
import WebSocket

@testable import Server

/// A server on a loop thread of its own, with a handler made of closures.
final class ServerUnderTest: Sendable {
    typealias Handle = @Sendable (HTTPRequest, HTTPResponder) -> Void

    let loop: EventLoop
    let port: UInt16
    let server: LoopBound<HTTPServer>

    convenience init(
        limits: ServerLimits = ServerLimits(), access: AccessGuard.Configuration = AccessGuard.Configuration(),
        host: String = "127.0.0.1", handle: @escaping Handle
    ) throws {
        try self.init(limits: limits, access: access, host: host, handler: ClosureHandler(handle))
    }

    init(
        limits: ServerLimits = ServerLimits(), access: AccessGuard.Configuration = AccessGuard.Configuration(),
        host: String = "127.0.0.1", handler: sending any HTTPHandler
    ) throws {
        let loop = try EventLoop.startThread(name: "test-server")
        self.loop = loop
        // Nobody else has it: it belongs to the loop from here on.
        let handler = LoopBound(handler, loop: loop)
        let made: Result<(LoopBound<HTTPServer>, UInt16), ServerError> = loop.sync {
            let server = HTTPServer(
                loop: loop, limits: limits, accessGuard: AccessGuard(access), handler: handler.value)
            guard let address = SocketAddress(numericHost: host, port: 0) else {
                return .failure(ServerError(.system, "no address"))
            }
            do throws(ServerError) {
                let bound = try server.listen(on: address)
                return .success((LoopBound(server, loop: loop), bound.port))
            } catch {
                return .failure(error)
            }
        }
        (server, port) = try made.get()
    }

    deinit {
        // The server belongs to the loop: it ends there, before the loop does.
        let server = server
        let loop = loop
        loop.submit {
            server.value.shutdown(grace: .milliseconds(1)) { loop.stop() }
        }
    }

    func on<R: Sendable>(_ body: @escaping @Sendable (HTTPServer) -> R) -> R {
        let server = server
        return loop.sync { body(server.value) }
    }

    var metrics: ServerMetrics { on { $0.metrics } }
    var connectionCount: Int { on { $0.connectionCount } }

    func connect(receiveBuffer: Int32? = nil) throws -> RawConnection {
        try RawConnection(port: port, receiveBuffer: receiveBuffer)
    }

    func get(_ path: String, method: String = "GET", host: String? = nil, _ headers: [(String, String)] = []) -> String
    {
        var text = "\(method) \(path) HTTP/1.1\r\nHost: \(host ?? "127.0.0.1:\(port)")\r\n"
        for (name, value) in headers { text += "\(name): \(value)\r\n" }
        return text + "\r\n"
    }
}

final class ClosureHandler: HTTPHandler {
    private let body: ServerUnderTest.Handle

    init(_ body: @escaping ServerUnderTest.Handle) {
        self.body = body
    }

    func handle(_ request: HTTPRequest, _ responder: HTTPResponder) { body(request, responder) }
}

extension EventLoop {
    /// Runs `body` on the loop and waits for it.
    func sync<R: Sendable>(_ body: @escaping @Sendable () -> R) -> R {
        let result = Lock<R?>(nil)
        let done = DispatchSemaphore(value: 0)
        submit {
            let value = body()
            result.withLock { $0 = value }
            done.signal()
        }
        done.wait()
        guard let value = result.withLock({ $0 }) else { fatalError("the loop has not run the job") }
        return value
    }
}
