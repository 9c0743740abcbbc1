import Base
package import EventLog
package import HubProtocol
package import JSON
package import Providers

/// Who did something: shown to the others, and kept in the log and the audit.
package struct ClientIdentity: Equatable, Sendable {
    /// What the client calls itself, for example `codeai-hub`; at most 64 characters.
    package var name: String
    /// Given by the daemon, unique for its life.
    package var id: String
    /// `http`, `sse` or `websocket`.
    package var transport: String

    package init(name: String, id: String, transport: String) {
        self.name = name
        self.id = id
        self.transport = transport
    }

    /// What a client calls itself, cut to 64 characters (scalars), without those that control terminals.
    package static func name(_ given: String?) -> String {
        let scalars = (given ?? "").unicodeScalars.lazy.filter { !$0.isControl }.prefix(64)
        return scalars.isEmpty ? "unnamed" : String(String.UnicodeScalarView(scalars))
    }

    package var json: JSON { ["name": JSON(name), "id": JSON(id), "transport": JSON(transport)] }

    /// What `json` made.
    init?(_ json: JSON) {
        guard let name = json["name"]?.stringValue, let id = json["id"]?.stringValue,
            let transport = json["transport"]?.stringValue
        else { return nil }
        self.init(name: name, id: id, transport: transport)
    }
}

/// A piece of text that is still growing. Never logged, never numbered.
package struct StreamChunk: Equatable, Sendable {
    package var sessionId: String
    package var turnId: String?
    package var itemId: String
    package var kind: ChunkKind
    package var text: String
    /// UTF-8 bytes of this item sent before.
    package var offset: Int

    package init(
        sessionId: String, turnId: String? = nil, itemId: String, kind: ChunkKind, text: String, offset: Int
    ) {
        self.sessionId = sessionId
        self.turnId = turnId
        self.itemId = itemId
        self.kind = kind
        self.text = text
        self.offset = offset
    }
}

/// Hears what clients must learn. Called on the loop, in the order of things: for one session, exactly the order of
/// its log, and never before what is told is in the log.
package protocol SessionObserver: AnyObject {
    func sessionCreated(_ session: Session)
    /// The session's record changed: status, title, queue, totals.
    func sessionChanged(_ session: Session)
    func sessionDeleted(_ sessionId: String)
    func session(_ session: Session, committed events: [CommittedEvent])
    func session(_ session: Session, streamed chunk: StreamChunk)
    /// Something is wrong with the session that its log can't say, since the log itself is the trouble.
    func session(_ session: Session, failed failure: Failure)
    /// Something that concerns everybody: a budget that is nearly or wholly used up.
    func workflowEvent(_ event: JSONObject)
    /// An import has come so far, has ended or has failed.
    func importProgressed(_ progress: ImportProgress)
    /// Somebody writes a message that is not sent yet; an empty one is given up.
    func session(_ sessionId: String, drafted draft: MessageDraft)
}

extension SessionObserver {
    package func workflowEvent(_ event: JSONObject) {}
    package func importProgressed(_ progress: ImportProgress) {}
    package func session(_ sessionId: String, drafted draft: MessageDraft) {}
}

/// Makes conversations with providers: the session layer knows their names only.
package protocol ProviderSource: AnyObject {
    /// Nil when the provider may be used; else why not.
    func problem(with providerId: String) -> Failure?
    func makeSession(_ providerId: String, _ start: ProviderStart) throws(Failure) -> any ProviderSession
    /// What a conversation told about the provider's quota, which is one for all its sessions.
    func note(_ quota: Quota, of providerId: String)
    /// For people, for example `Claude Code`.
    func name(of providerId: String) -> String
    /// What the provider takes at most, as its manifest says.
    func limits(of providerId: String) -> ProviderLimits
    /// Whether it can begin a new session of its own with what was said in another.
    func canFork(_ providerId: String) -> Bool
    /// What a new session of this provider is set to when its maker says nothing.
    func defaults(of providerId: String) -> SessionState.Choice
}

extension ProviderSource {
    package func name(of providerId: String) -> String { providerId }
    package func canFork(_ providerId: String) -> Bool { false }
    package func limits(of providerId: String) -> ProviderLimits { ProviderLimits() }
    package func defaults(of providerId: String) -> SessionState.Choice { SessionState.Choice() }
}

/// Keeps who decided what, and when.
package protocol Auditor: AnyObject {
    func record(_ action: String, by client: ClientIdentity?, sessionId: String?, details: JSONObject)
}

package struct SessionSettings: Sendable {
    /// How many of the newest messages a session shows at once.
    package var snapshotMessages = 50
    /// Bytes of them; the oldest are left out to keep within it.
    package var snapshotBytes = 4 << 20
    /// The longest message that is accepted, in UTF-8 bytes.
    package var maxMessageBytes = 1 << 20
    /// How many messages may wait behind a running turn.
    package var maxQueue = 100
    /// Seconds without anything happening after which a session leaves memory and its provider's process ends.
    package var unloadAfter = 3600.0
    /// Seconds after which its provider's process alone is ended; 0: with the session.
    package var stopProviderAfter = 600.0

    /// Bytes of the largest session that is imported.
    package var maxImportBytes = 256 << 20
    /// Turns that run at once over all sessions; the others wait for their turn, in order.
    package var maxConcurrent = 10
    /// How much rest providers get whose processes fail.
    package var rest = RestRules()
    /// Providers that try in this order what another failed to do; empty: only a person has them try.
    package var fallback: [String] = []
    /// Whether a turn that a used-up quota ended is tried again by itself, once, when the quota is reset.
    package var resumeAfterQuota = false
    /// Seconds, at most, that are added to such a time by chance, so that not all come back in the same moment.
    package var resumeJitter = 2.0
    /// Bytes of what a provider is told about what was said without it; less when its context window is small.
    package var carriedBytes = 400 << 10
    /// Bytes of all attachments of a message, in base64.
    package var maxAttachmentBytes = 5 << 20
    package var drafts = DraftLimits()
    /// The folder of a session that names none.
    package var defaultWorkspace = homeDirectory()

    package init() {}
}
