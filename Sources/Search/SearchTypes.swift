package import Base
import EventLog
import HubProtocol
package import JSON

package struct SearchSettings: Sendable {
    /// Bytes of a message, at most, that are searched.
    package var textBytes = 64 << 10
    /// Milliseconds that a search may take.
    package var timeLimit = 1000

    package init() {}
}

package struct SearchRequest: Sendable {
    package var query: SearchQuery
    /// The only session to look in; nil for all.
    package var sessionId: String?
    /// The cursor of the page before; nil for the newest matches.
    package var before: Int64?
    package var limit: Int
    var milliseconds = 1000

    package init(_ query: SearchQuery, in sessionId: String? = nil, before: Int64? = nil, limit: Int = 20) {
        self.query = query
        self.sessionId = sessionId
        self.before = before
        self.limit = limit
    }
}

package struct SearchAnswer: Sendable {
    package struct Match: Equatable, Sendable {
        package var sessionId: String
        package var seq: Int
        package var kind: SearchDocument.Kind
        package var timestamp: Timestamp
        package var snippet: SearchSnippet

        /// The members of an answer; the session's own are for who knows the sessions.
        package var json: JSONObject {
            var object: JSONObject = [
                "sessionId": JSON(sessionId), "seq": JSON(seq), "kind": JSON(kind.name),
            ]
            object["role"] = kind.role.map { JSON($0) }
            object["ts"] = JSON(timestamp.description)
            object["snippet"] = .array(
                snippet.parts.map { $0.isMatch ? ["text": JSON($0.text), "match": true] : ["text": JSON($0.text)] })
            return object
        }
    }

    /// The newest first.
    package var matches: [Match] = []
    /// Where the next page begins; nil when there is none.
    package var next: Int64?
    /// False when the time was up before all was looked at.
    package var isComplete: Bool
    /// How many of the sessions have been read, while that is under way.
    package var indexing: SearchProgress?
}

package struct SearchProgress: Equatable, Sendable {
    package var done: Int
    package var total: Int

    package var json: JSON { ["done": JSON(done), "total": JSON(total)] }
}

extension SearchDocument.Kind {
    /// The name in answers: that of the event's kind, or `title`.
    var name: String {
        switch self {
        case .title: "title"
        case .userMessage, .assistantMessage: EventKind.message.rawValue
        case .toolCall: EventKind.toolCall.rawValue
        case .error: EventKind.error.rawValue
        }
    }

    var role: String? {
        switch self {
        case .userMessage: "user"
        case .assistantMessage: "assistant"
        default: nil
        }
    }
}
