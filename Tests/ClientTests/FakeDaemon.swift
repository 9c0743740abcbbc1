import Base
import EventLoop
import Glibc
import HTTP1
import JSON
import WebSocket

@testable import Client

/// A server that says what a test tells it to say, on a loop of its own. Not the daemon: it keeps no promise.
final class FakeDaemon: Sendable {
    typealias Request = (method: String, target: String, body: [UInt8])

    let loop: EventLoop
    let port: UInt16
    private let state: LoopBound<State>

    final class State {
        var listener: TCPListener?
        var answer: (Request) -> (status: Int, body: JSON)? = { _ in (200, ["status": "ok"]) }
        var onOpen: (FakePeer) -> Void = { _ in }
        var onText: (FakePeer, JSON) -> Void = { _, _ in }
        var onControl: (FakePeer, WebSocketOpcode) -> Void = { _, _ in }
        var peers: [FakePeer] = []
        var compression: PerMessageDeflate.Settings?
        var connections = 0
    }

    /// - Parameter set: called on the loop, before the first connection.
    init(port: UInt16 = 0, _ set: @escaping @Sendable (State) -> Void) async throws {
        let loop = try EventLoop.startThread(name: "fake-daemon")
        self.loop = loop
        let made: Result<(LoopBound<State>, UInt16), SystemError> = await withCheckedContinuation { continuation in
            loop.submit {
                do throws(SystemError) {
                    let state = State()
                    let listener = try TCPListener(
                        SocketAddress.resolve(host: "127.0.0.1", port: port)[0], loop: loop)
                    listener.onAccept = { fd, _ in
                        state.connections += 1
                        FakePeer(fd: fd, loop: loop, state: state).start()
                    }
                    state.listener = listener
                    set(state)
                    continuation.resume(
                        returning: .success((LoopBound(state, loop: loop), listener.localAddress.port)))
                } catch { continuation.resume(returning: .failure(error)) }
            }
        }
        (state, self.port) = try made.get()
    }

    deinit {
        let state = state
        let loop = loop
        loop.submit {
            state.value.listener?.close()
            for peer in state.value.peers { peer.drop() }
            loop.stop()
        }
    }

    var endpoint: HubEndpoint { HubEndpoint(host: "127.0.0.1", port: port) }

    /// Runs something on the server's loop.
    func on<Value: Sendable>(_ body: @escaping @Sendable (State) -> Value) async -> Value {
        let (loop, state) = (loop, state)
        return await withCheckedContinuation { continuation in
            loop.submit { continuation.resume(returning: body(state.value)) }
        }
    }
}

/// One connection, as the server sees it.
final class FakePeer: FileDescriptorHandler {
    private var fd: Int32
    private let loop: EventLoop
    private let state: FakeDaemon.State
    private var parser = HTTPRequestParser()
    private var request: HTTPRequestHead?
    private var body: [UInt8] = []
    private var frames: WebSocketMessageAssembler?
    private var deflater: Deflater?
    /// The value of `Authorization` in the handshake.
    private(set) var authorization: String?

    init(fd: Int32, loop: EventLoop, state: FakeDaemon.State) {
        self.fd = fd
        self.loop = loop
        self.state = state
    }

    func start() {
        state.peers.append(self)
        try? loop.register(fd, .read, self)
    }

    /// As a killed process does: no close frame.
    func drop() {
        guard fd >= 0 else { return }
        loop.deregister(fd)
        Glibc.close(fd)
        fd = -1
        state.peers.removeAll { $0 === self }
    }

    func send(_ frame: JSON) {
        var bytes: [UInt8] = []
        WebSocketFrameEncoder.writeMessage(opcode: .text, payload: frame.serialize(), deflater: deflater, into: &bytes)
        write(bytes)
    }

    func send(opcode: WebSocketOpcode, _ payload: [UInt8]) {
        var bytes: [UInt8] = []
        WebSocketFrameEncoder.write(opcode: opcode, payload: payload, into: &bytes)
        write(bytes)
    }

    /// An event of a session's log, as the daemon would frame it.
    func event(_ session: String, _ seq: Int) {
        send([
            "type": "session:event", "sessionId": JSON(session), "seq": JSON(seq),
            "payload": ["seq": JSON(seq), "kind": "status", "data": ["type": "test"]],
        ])
    }

    func ack(_ frame: JSON, _ result: JSON = [:]) {
        send([
            "type": "ack", "requestId": frame["requestId"] ?? .null, "payload": ["ok": true, "result": result],
        ])
    }

    private func write(_ bytes: [UInt8]) {
        var sent = 0
        while fd >= 0, sent < bytes.count {
            let count = bytes.withUnsafeBytes {
                Glibc.send(fd, $0.baseAddress.map { $0 + sent }, bytes.count - sent, Int32(MSG_NOSIGNAL))
            }
            if count < 0, errno == EAGAIN {
                usleep(1000)
                continue
            }
            guard count > 0 else { return }
            sent += count
        }
    }

    func ready(_ events: Readiness) {
        var buffer = [UInt8](repeating: 0, count: 65536)
        let count = read(fd, &buffer, buffer.count)
        guard count > 0 else { return drop() }
        buffer[..<count].withUnsafeBytes { bytes in
            var input = bytes
            if frames == nil { takeRequests(&input) }
            if frames != nil { takeFrames(&input) }
        }
    }

    private func takeRequests(_ input: inout UnsafeRawBufferPointer) {
        while frames == nil, let event = try? parser.next(&input) {
            switch event {
            case .head(let head):
                request = head
                body = []
            case .body(let part): body.append(contentsOf: part)
            case .end: if let request { answer(request) }
            }
        }
    }

    private func answer(_ head: HTTPRequestHead) {
        if head.wantsUpgrade { return upgrade(head) }
        guard let answer = state.answer((head.method.description, head.target, body)) else { return drop() }
        let payload = answer.status == 204 ? [] : answer.body.serialize()
        let length = answer.status == 204 ? "" : "content-length: \(payload.count)\r\n"
        write(Array("HTTP/1.1 \(answer.status) X\r\n\(length)\r\n".utf8) + payload)
    }

    private func upgrade(_ head: HTTPRequestHead) {
        authorization = head.headers["authorization"]
        let settings = WebSocketHandshake.Settings(compression: state.compression)
        let accepted = try? WebSocketHandshake.accept(
            method: "GET", isHTTP11: true, hasBody: false, settings: settings, values: { head.headers.values($0) })
        guard let accepted else { return drop() }
        let lines = accepted.headers.map { "\($0): \($1)\r\n" }.joined()
        write(Array("HTTP/1.1 101 X\r\n\(lines)\r\n".utf8))
        if accepted.compression != nil { deflater = Deflater() }
        frames = WebSocketMessageAssembler(role: .server, compression: accepted.compression)
        state.onOpen(self)
    }

    private func takeFrames(_ input: inout UnsafeRawBufferPointer) {
        while fd >= 0, let event = try? frames?.next(&input) {
            switch event {
            case .text(let bytes): if let json = try? JSON.parse(bytes) { state.onText(self, json) }
            case .ping: state.onControl(self, .ping)
            case .pong: state.onControl(self, .pong)
            case .binary: break
            case .close:
                state.onControl(self, .close)
                return drop()
            }
        }
    }
}
