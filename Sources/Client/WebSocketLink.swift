import Base
import EventLoop
import HTTP1
import JSON
import WebSocket

/// One WebSocket connection to the daemon, from the TCP handshake to the close frame. Loop-confined.
final class WebSocketLink {
    var onOpen: () -> Void = {}
    var onText: ([UInt8]) -> Void = { _ in }
    /// Something that is no message, but shows that the daemon lives.
    var onSign: () -> Void = {}
    /// Once, unless `close()` was called before.
    var onEnd: (HubError) -> Void = { _ in }

    private let loop: EventLoop
    private let options: StreamOptions
    private let socket: ClientSocket
    private var parser = HTTPResponseParser(limits: HTTPLimits(bodyBytes: 64 << 10))
    private var refusal: (status: Int, body: [UInt8])?
    private var assembler: WebSocketMessageAssembler?
    private var deflater: Deflater?
    private var key = ""
    private var handshakeTimer: LoopTimer?
    private var isClosing = false
    private(set) var isReading = true
    /// The daemon said goodbye to come back at once (close code 1012).
    private(set) var isForRestart = false

    static let path = "/api/v1/stream"

    init(loop: EventLoop, options: StreamOptions) {
        self.loop = loop
        self.options = options
        socket = ClientSocket(loop: loop)
    }

    func open(_ endpoint: HubEndpoint) {
        handshakeTimer = loop.schedule(after: options.connectTimeout) { [weak self] in
            self?.end(HubError(.noDaemon, "the daemon at \(endpoint.authority) does not answer"))
        }
        socket.onConnect = { [weak self] in self?.sendHandshake(endpoint) }
        socket.onBytes = { [weak self] in self?.received($0) }
        socket.onEnd = { [weak self] in self?.end($0) }
        socket.connect(to: endpoint, timeout: options.connectTimeout)
    }

    private func sendHandshake(_ endpoint: HubEndpoint) {
        key = WebSocketHandshake.clientKey(random: randomBytes(16))
        var headers = HTTPHeaders(
            WebSocketHandshake.requestHeaders(key: key, offersCompression: options.compression))
        headers.append("user-agent", "\(Sanitized.token(options.name))/\(Sanitized.token(options.version))")
        if let token = endpoint.token { headers.append("authorization", "Bearer " + token) }
        var bytes: [UInt8] = []
        do throws(HTTPEncodeError) {
            try HTTPRequestEncoder.writeHead(
                // Announced, so that nothing live comes before the daemon knows the cursors.
                method: .get, target: WebSocketLink.path + (options.saysHello ? "?hello=1" : ""),
                host: endpoint.authority, headers: headers, into: &bytes)
        } catch {
            return end(HubError(.invalidAnswer, error.message))
        }
        socket.write(bytes)
    }

    // MARK: Sending

    /// Sends a text message. Does nothing before the connection is open.
    func send(_ text: [UInt8]) {
        guard assembler != nil, !isClosing else { return }
        var bytes: [UInt8] = []
        WebSocketFrameEncoder.writeMessage(
            opcode: .text, payload: text, deflater: deflater, maskKey: maskKey(), into: &bytes)
        socket.write(bytes)
    }

    func ping() { sendControl(.ping, []) }

    private func sendControl(_ opcode: WebSocketOpcode, _ payload: [UInt8]) {
        guard assembler != nil, !isClosing else { return }
        var bytes: [UInt8] = []
        WebSocketFrameEncoder.write(opcode: opcode, payload: payload, maskKey: maskKey(), into: &bytes)
        socket.write(bytes)
    }

    private func maskKey() -> UInt32 { .random(in: 1...UInt32.max) }

    func setReading(_ isOn: Bool) {
        isReading = isOn
        socket.setReading(isOn)
    }

    /// Says goodbye, as far as that goes without waiting, and closes.
    func close() {
        if assembler != nil, !isClosing {
            var bytes: [UInt8] = []
            WebSocketFrameEncoder.writeClose(.normal, maskKey: maskKey(), into: &bytes)
            socket.write(bytes)
        }
        isClosing = true
        handshakeTimer?.cancel()
        onOpen = {}
        onText = { _ in }
        onSign = {}
        onEnd = { _ in }
        socket.close()
    }

    private func end(_ error: HubError) {
        let report = onEnd
        close()
        report(error)
    }

    // MARK: Receiving

    private func received(_ bytes: UnsafeRawBufferPointer) {
        var input = bytes
        if assembler == nil { receivedHandshake(&input) }
        if assembler != nil { receivedFrames(&input) }
    }

    private func receivedHandshake(_ input: inout UnsafeRawBufferPointer) {
        do throws(HTTPParseError) {
            while assembler == nil, let event = try parser.next(&input) {
                switch event {
                case .head(let head):
                    if head.status == 101 { return upgraded(head) }
                    if head.status >= 200 { refusal = (head.status, []) }
                case .body(let part): refusal?.body.append(contentsOf: part)
                case .end: return refused()
                }
            }
        } catch {
            end(HubError(.invalidAnswer, "what answers the stream's handshake is no HTTP: \(error.message)"))
        }
    }

    private func upgraded(_ head: HTTPResponseHead) {
        do throws(WebSocketHandshakeError) {
            let agreement = try WebSocketHandshake.check(
                status: head.status, key: key, offeredCompression: options.compression,
                values: { head.headers.values($0) })
            if agreement != nil { deflater = Deflater() }
            let limits = WebSocketLimits(frameBytes: options.frameLimit, messageBytes: options.frameLimit)
            assembler = WebSocketMessageAssembler(role: .client, limits: limits, compression: agreement)
            handshakeTimer?.cancel()
            onOpen()
        } catch {
            end(HubError(.invalidAnswer, "the stream's handshake failed: \(error.message)"))
        }
    }

    private func refused() {
        guard let refusal else { return }
        let error = (try? JSON.parse(refusal.body))?["error"]
        end(
            HubError(
                .rejected, error?["message"]?.stringValue ?? "the daemon refuses the stream: status \(refusal.status)",
                answer: error?["code"]?.stringValue, status: refusal.status))
    }

    private func receivedFrames(_ input: inout UnsafeRawBufferPointer) {
        do throws(WebSocketFailure) {
            while !isClosing, let event = try assembler?.next(&input) {
                switch event {
                case .text(let bytes): onText(bytes)
                case .binary: onSign()
                case .ping(let payload):
                    sendControl(.pong, payload)
                    onSign()
                case .pong: onSign()
                case .close(let code, let reason): return closed(code, reason)
                }
            }
        } catch {
            var bytes: [UInt8] = []
            WebSocketFrameEncoder.writeClose(error.code, reason: error.message, maskKey: maskKey(), into: &bytes)
            socket.write(bytes)
            end(HubError(.invalidAnswer, "the daemon broke the stream's protocol: \(error.message)"))
        }
    }

    private func closed(_ code: WebSocketCloseCode?, _ reason: String) {
        var bytes: [UInt8] = []
        WebSocketFrameEncoder.writeClose(code, maskKey: maskKey(), into: &bytes)
        socket.write(bytes)
        let why =
            switch code {
            case .serviceRestart?: "the daemon restarts"
            case .goingAway?: "the daemon was stopped"
            case .tryAgainLater?: "this client read too slowly"
            case let code?: reason.isEmpty ? "the daemon closed the stream (\(code))" : reason
            case nil: "the daemon closed the stream"
            }
        isClosing = true
        isForRestart = code == .serviceRestart
        end(HubError(.connectionLost, why))
    }
}

enum Sanitized {
    /// Only what may stand in a header's token.
    static func token(_ text: String) -> String {
        String(text.map { $0.isASCII && ($0.isLetter || $0.isNumber || $0 == "." || $0 == "-") ? $0 : "-" })
    }
}
