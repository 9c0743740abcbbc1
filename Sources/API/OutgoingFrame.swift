import Base
import Server

/// Durable frames of one session that were committed together, in order.
final class OutgoingBatch {
    let frames: [OutgoingFrame]
    private(set) lazy var webSocket = FrameBatch(frames.map(\.webSocket))

    init(_ frames: [OutgoingFrame]) { self.frames = frames }

    func enqueue(on connection: WebSocketConnection) { connection.enqueue(&webSocket) }
}

/// A frame on its way to any number of clients: one text, each wire form of it made once, when the first client needs
/// it.
final class OutgoingFrame {
    let type: String
    let seq: Int?
    let text: [UInt8]
    private let encoder: BroadcastEncoder
    private var webSocketForm: EncodedFrame?
    private var eventStreamForm: EncodedEvent?

    init(_ type: String, seq: Int? = nil, text: FrameText, encoder: BroadcastEncoder) {
        self.type = type
        self.seq = seq
        self.text = text.bytes
        self.encoder = encoder
    }

    var webSocket: EncodedFrame {
        if let webSocketForm { return webSocketForm }
        let form = encoder.encode(text)
        webSocketForm = form
        return form
    }

    var eventStream: EncodedEvent {
        if let eventStreamForm { return eventStreamForm }
        var id: [UInt8]?
        if let seq {
            id = []
            id?.appendDecimal(seq)
        }
        let form = encoder.encodeEvent(id: id, name: Array(type.utf8), data: text)
        eventStreamForm = form
        return form
    }
}
