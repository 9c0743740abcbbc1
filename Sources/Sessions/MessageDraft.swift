package import Base
import HubProtocol
package import JSON

/// A message that somebody is writing.
package struct MessageDraft: Equatable, Sendable {
    /// Empty when it was given up, or sent.
    package var text: String
    package var updatedAt: Timestamp
    package var by: ClientIdentity

    /// As it is in a session's record, and on the disk.
    package var record: JSON { ["text": JSON(text), "updatedAt": JSON(updatedAt.description), "by": by.json] }

    /// The payload of a `session:draft` frame.
    package func payload(_ sessionId: String) -> JSONObject {
        ["sessionId": JSON(sessionId), "text": JSON(text), "updatedAt": JSON(updatedAt.description), "by": by.json]
    }

    init(text: String, updatedAt: Timestamp, by: ClientIdentity) {
        self.text = text
        self.updatedAt = updatedAt
        self.by = by
    }

    /// What `record` made; nil for anything else.
    init?(_ json: JSON) {
        guard let text = json["text"]?.stringValue, !text.isEmpty,
            let updatedAt = json["updatedAt"]?.stringValue.flatMap({ Timestamp($0) }),
            let by = json["by"].flatMap({ ClientIdentity($0) })
        else { return nil }
        self.init(text: text, updatedAt: updatedAt, by: by)
    }
}

/// How much of what is being written is kept. All of it lies in memory, and in the first frame of a stream.
package struct DraftLimits: Equatable, Sendable {
    /// UTF-8 bytes of one.
    package var bytes = 64 << 10
    /// UTF-8 bytes of all together.
    package var totalBytes = 2 << 20

    package init() {}
}
