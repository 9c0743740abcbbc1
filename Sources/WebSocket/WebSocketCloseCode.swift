/// Close codes (RFC 6455 section 7.4).
package struct WebSocketCloseCode: RawRepresentable, Hashable, Sendable, CustomStringConvertible {
    package let rawValue: UInt16

    package init(rawValue: UInt16) { self.rawValue = rawValue }

    package static let normal = WebSocketCloseCode(rawValue: 1000)
    package static let goingAway = WebSocketCloseCode(rawValue: 1001)
    package static let protocolError = WebSocketCloseCode(rawValue: 1002)
    package static let unsupportedData = WebSocketCloseCode(rawValue: 1003)
    package static let invalidPayload = WebSocketCloseCode(rawValue: 1007)
    package static let policyViolation = WebSocketCloseCode(rawValue: 1008)
    package static let messageTooBig = WebSocketCloseCode(rawValue: 1009)
    package static let internalError = WebSocketCloseCode(rawValue: 1011)
    package static let serviceRestart = WebSocketCloseCode(rawValue: 1012)
    package static let tryAgainLater = WebSocketCloseCode(rawValue: 1013)

    /// Whether a close frame may carry it: not the reserved ones (1004 to 1006, 1015), not what isn't defined below
    /// 3000, nothing from 5000 on.
    package var isAllowedInFrame: Bool {
        switch rawValue {
        case 1000...1003, 1007...1014, 3000...4999: true
        default: false
        }
    }

    package var description: String { String(rawValue) }
}

/// The peer broke the protocol or a limit: send a close frame with this code, then close.
package struct WebSocketFailure: Error, Equatable, Sendable, CustomStringConvertible {
    package let code: WebSocketCloseCode
    /// Fit to be the close reason: short, ASCII.
    package let message: String

    package init(_ code: WebSocketCloseCode, _ message: String) {
        self.code = code
        self.message = message
    }

    package var description: String { "\(code): \(message)" }
}

/// Which end of the connection this is: a server gets masked frames and sends unmasked ones, a client the reverse.
package enum WebSocketRole: Sendable, Equatable {
    case server, client
}

package enum WebSocketOpcode: UInt8, Sendable, Equatable {
    case continuation = 0x0
    case text = 0x1
    case binary = 0x2
    case close = 0x8
    case ping = 0x9
    case pong = 0xA

    package var isControl: Bool { rawValue & 0x8 != 0 }
}

package struct WebSocketLimits: Sendable, Equatable {
    /// Bytes in one frame's payload as sent. Default 8 MiB. Beyond it: 1009, at the frame's header.
    package var frameBytes: Int
    /// Bytes in one message, after inflating. Default 8 MiB. Beyond it: 1009, at the header that exceeds it, or as soon
    /// as inflating does.
    package var messageBytes: Int
    /// Frames in one message. Default 65,536: tiny fragments cost more than they carry. Beyond it: 1008.
    package var framesPerMessage: Int

    package init(frameBytes: Int = 8 << 20, messageBytes: Int = 8 << 20, framesPerMessage: Int = 65_536) {
        self.frameBytes = frameBytes
        self.messageBytes = messageBytes
        self.framesPerMessage = framesPerMessage
    }

    package static let `default` = WebSocketLimits()
}
