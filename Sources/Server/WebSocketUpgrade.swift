import HTTP1
import WebSocket

/// What is offered to clients that open a WebSocket.
package struct WebSocketSettings: Sendable {
    /// Whether permessage-deflate is agreed to. Neither side keeps a context then: one compressed copy serves all
    /// clients, and an idle connection keeps no window of 32 KiB.
    package var compresses = true
    /// Subprotocols in the order of preference.
    package var subprotocols: [String] = []

    package init(compresses: Bool = true, subprotocols: [String] = []) {
        self.compresses = compresses
        self.subprotocols = subprotocols
    }
}

enum WebSocketUpgrade {
    case accept(WebSocketHandshake.Acceptance)
    case refuse(WebSocketHandshakeError)

    /// - Parameter head: nil when the request has no Upgrade field that its Connection field names.
    static func answer(
        _ traits: HTTPRequestTraits, head: HTTPRequestHead?, settings: WebSocketSettings
    ) -> WebSocketUpgrade {
        do throws(WebSocketHandshakeError) {
            return .accept(
                try WebSocketHandshake.accept(
                    method: traits.isGet ? "GET" : "other", isHTTP11: traits.version == .http11,
                    hasBody: traits.hasBody,
                    settings: WebSocketHandshake.Settings(
                        compression: settings.compresses ? PerMessageDeflate.Settings() : nil,
                        subprotocols: settings.subprotocols),
                    values: { head?.headers.values($0) ?? [] }))
        } catch {
            return .refuse(error)
        }
    }
}
