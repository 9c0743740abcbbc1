package import JSON

/// A WebSocket client that does only what it is told, with a decoder of its own: a second opinion on the daemon's
/// frames. Blocks. Not to be used by two threads at once.
package final class RawWebSocket: @unchecked Sendable {
    package enum Message: Equatable {
        case text([UInt8])
        case binary([UInt8])
        case pong([UInt8])
        case close(code: Int?, reason: String)
        /// The connection ended without a close frame.
        case ended
    }

    /// The daemon answered the handshake with something else than 101.
    package struct Refused: Error {
        package let response: RawResponse?
    }

    package let connection: RawConnection
    /// Whether pings are answered; a peer that doesn't counts as dead.
    package var answersPings = true
    /// Whether what it hears is kept to be checked: false where the test itself has damaged the logs.
    package var isRecorded = true
    /// Requests that have not been answered, by their id.
    private var asked: [String: JSON] = [:]

    package init(
        port: UInt16, path: String = "/api/v1/stream", headers: [(String, String)] = [], host: String? = nil,
        receiveBuffer: Int32? = nil
    ) throws {
        connection = try RawConnection(port: port, receiveBuffer: receiveBuffer)
        var head = "GET \(path) HTTP/1.1\r\nHost: \(host ?? "127.0.0.1:\(port)")\r\nUpgrade: websocket\r\n"
        head += "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
        for (name, value) in headers { head += "\(name): \(value)\r\n" }
        try connection.send(head + "\r\n")
        let response = try connection.response(hasBody: false)
        guard let response, response.status == 101 else {
            var refused = response
            if var answer = response, let length = answer["Content-Length"].flatMap({ Int($0) }) {
                answer.body = try connection.take(length) ?? []
                refused = answer
            }
            throw Refused(response: refused)
        }
        // The answer to this key, from RFC 6455 section 1.3.
        guard response["Sec-WebSocket-Accept"] == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" else {
            throw TestFailure("wrong Sec-WebSocket-Accept")
        }
    }

    package func close() { connection.close() }

    // MARK: Sending

    package func send(_ frame: JSON) throws {
        if Recording.isOn, isRecorded, let id = frame["requestId"]?.stringValue { asked[id] = frame }
        try send(opcode: 1, frame.serialize())
    }

    package func send(text: String) throws { try send(opcode: 1, Array(text.utf8)) }

    package func send(opcode: UInt8, _ payload: [UInt8], isFinal: Bool = true, isMasked: Bool = true) throws {
        var frame: [UInt8] = [(isFinal ? 0x80 : 0) | opcode]
        let maskBit: UInt8 = isMasked ? 0x80 : 0
        switch payload.count {
        case ..<126: frame.append(maskBit | UInt8(payload.count))
        case ..<65536: frame += [maskBit | 126, UInt8(payload.count >> 8), UInt8(payload.count & 255)]
        default:
            frame.append(maskBit | 127)
            for shift in stride(from: 56, through: 0, by: -8) { frame.append(UInt8(payload.count >> shift & 255)) }
        }
        let key: [UInt8] = [0x37, 0xfa, 0x21, 0x3d]
        if isMasked {
            frame += key
            frame.reserveCapacity(frame.count + payload.count)
            for (index, byte) in payload.enumerated() { frame.append(byte ^ key[index & 3]) }
        } else {
            frame += payload
        }
        try connection.send(frame)
    }

    // MARK: Receiving

    /// The next message; pings are answered on the way.
    package func receive(within limit: Duration = .seconds(10)) throws -> Message {
        var opcode: UInt8 = 0
        var message: [UInt8] = []
        let deadline = ContinuousClock.now + limit
        func left() -> Duration { deadline - ContinuousClock.now }
        while true {
            guard let head = try connection.take(2, within: left()) else { return .ended }
            guard head[1] & 0x80 == 0 else { throw TestFailure("the daemon masks its frames") }
            guard head[0] & 0x70 == 0 else { throw TestFailure("a reserved bit is set, nothing was negotiated") }
            var length = Int(head[1])
            if length >= 126 {
                guard let more = try connection.take(length == 126 ? 2 : 8, within: left()) else { return .ended }
                length = more.reduce(0) { $0 << 8 | Int($1) }
            }
            guard let payload = try connection.take(length, within: left()) else { return .ended }
            switch head[0] & 0x0f {
            case 0x8:
                let code = payload.count >= 2 ? Int(payload[0]) << 8 | Int(payload[1]) : nil
                return .close(code: code, reason: String(decoding: payload.dropFirst(2), as: UTF8.self))
            case 0x9:
                if answersPings { try send(opcode: 0xa, payload) }
                continue
            case 0xa: return .pong(payload)
            case 0x0: message += payload
            case let kind:
                opcode = kind
                message = payload
            }
            if head[0] & 0x80 != 0 { return opcode == 1 ? .text(message) : .binary(message) }
        }
    }

    /// The next text frame's JSON; throws when the connection ends or closes instead.
    package func frame(within limit: Duration = .seconds(10)) throws -> JSON {
        switch try receive(within: limit) {
        case .text(let bytes):
            let frame = try JSON.parse(bytes)
            if Recording.isOn, isRecorded { record(frame) }
            return frame
        case let other: throw TestFailure("a text frame was due, this came: \(other)")
        }
    }

    private func record(_ frame: JSON) {
        Recording.received(frame)
        guard frame["type"] == "ack", frame["payload"]?["ok"] == true, let id = frame["requestId"]?.stringValue,
            let request = asked.removeValue(forKey: id)
        else { return }
        Recording.accepted(request)
    }

    /// The next frame of which `isIt` says so; those before it are handed to `passed`.
    package func frame(
        within limit: Duration = .seconds(10), passed: (JSON) -> Void = { _ in }, where isIt: (JSON) -> Bool
    ) throws -> JSON {
        let deadline = ContinuousClock().now + limit
        var types: [String] = []
        while ContinuousClock().now < deadline {
            let frame: JSON
            do { frame = try self.frame(within: deadline - ContinuousClock().now) } catch {
                throw TestFailure("\(error); before it came \(types)")
            }
            if isIt(frame) { return frame }
            passed(frame)
            types.append(frame["type"]?.stringValue ?? "?")
        }
        throw TestFailure("the frame didn't come; what came: \(types)")
    }

    package func frame(type: String, within limit: Duration = .seconds(10)) throws -> JSON {
        try frame(within: limit) { $0["type"]?.stringValue == type }
    }

    /// Sends a request and waits for its ack.
    package func request(_ type: String, _ payload: JSON, within limit: Duration = .seconds(10)) throws -> JSON {
        let id = "r\(UInt32.random(in: 0...UInt32.max))"
        try send(["type": JSON(type), "requestId": JSON(id), "payload": payload])
        return try frame(within: limit) { $0["type"] == "ack" && $0["requestId"]?.stringValue == id }["payload"]
            ?? .null
    }
}
