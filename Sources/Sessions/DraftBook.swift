package import Base
import EventLog
import EventLoop
import Glibc
package import HubProtocol
import JSON

/// The messages that people are writing, one for each session, so that they follow a person from client to client and
/// outlive the daemon.
///
/// They are no part of a session's log: what nobody has sent was not said. Each is a small file, written about once a
/// second while somebody types, without waiting for the disk: a crash may take the last second, a loss of power more.
package final class DraftBook {
    /// Something that the person who runs the daemon should know.
    package var onProblem: (String) -> Void = { _ in }
    /// A draft is another one. However fast somebody types, that is told a few times a second.
    var onChange: (_ sessionId: String, _ draft: MessageDraft) -> Void = { _, _ in }

    private let folder: String?
    private let loop: EventLoop
    private let clock: () -> Timestamp
    private var drafts: [String: MessageDraft] = [:]
    /// UTF-8 bytes of all texts.
    private var totalBytes = 0
    /// Changed since it was told.
    private var untold: [String: MessageDraft] = [:]
    /// Changed since its file was.
    private var unwritten: Set<String> = []
    private var tellTimer: LoopTimer?
    private var writeTimer: LoopTimer?
    private var hasProblem = false

    private static let tellInterval: Duration = .milliseconds(200)
    private static let writeInterval: Duration = .seconds(1)
    private static let suffix = ".json"
    /// Of a file: the longest text, with each of its bytes as an escape of six.
    private static let fileLimit = 64 << 20

    /// - Parameter folder: nil keeps them in memory only.
    init(folder: String?, loop: EventLoop, clock: @escaping () -> Timestamp) {
        self.folder = folder
        self.loop = loop
        self.clock = clock
    }

    package subscript(sessionId: String) -> MessageDraft? { drafts[sessionId] }

    /// Reads what an earlier daemon has left. Files of sessions that are gone are removed, damaged ones are passed over.
    func load(_ limits: DraftLimits, exists: (String) -> Bool) {
        guard let folder else { return }
        for name in folderEntries(folder) ?? [] where name.hasSuffix(DraftBook.suffix) {
            let id = String(name.dropLast(DraftBook.suffix.count))
            guard LogFormat.isValid(sessionId: id) else { continue }
            guard exists(id) else {
                unlink(path(folder, id))
                continue
            }
            guard let bytes = try? readFile(path(folder, id), limit: DraftBook.fileLimit),
                let draft = (try? JSON.parse(bytes)).flatMap({ MessageDraft($0) }),
                totalBytes + draft.text.utf8.count <= limits.totalBytes
            else { continue }
            drafts[id] = draft
            totalBytes += draft.text.utf8.count
        }
    }

    /// Takes what somebody has written so far in a session that is there.
    /// - Returns: when it was taken.
    /// - Throws: `payload_too_large`; what was kept before stays.
    func set(
        _ text: String, in sessionId: String, _ limits: DraftLimits, by client: ClientIdentity
    ) throws(Failure) -> Timestamp {
        let old = drafts[sessionId]
        if let old, old.text == text { return old.updatedAt }
        let now = clock()
        guard old != nil || !text.isEmpty else { return now }
        let bytes = text.utf8.count
        let others = totalBytes - (old?.text.utf8.count ?? 0)
        guard bytes <= limits.bytes, bytes == 0 || others + bytes <= limits.totalBytes else {
            let isOne = bytes > limits.bytes
            throw Failure(
                code: "payload_too_large",
                message: isOne
                    ? "A message that is being written is kept up to \(limits.bytes) bytes (sessions.maxDraftBytes)."
                    : "All messages that are being written are kept up to \(limits.totalBytes) bytes together "
                        + "(sessions.maxDraftsBytes).",
                details: ["field": "text"])
        }
        let draft = MessageDraft(text: text, updatedAt: now, by: client)
        drafts[sessionId] = text.isEmpty ? nil : draft
        totalBytes = others + bytes
        untold[sessionId] = draft
        unwritten.insert(sessionId)
        if tellTimer == nil {
            tellTimer = loop.schedule(after: DraftBook.tellInterval) { [weak self] in self?.tell() }
        }
        planWriting()
        return now
    }

    /// The session is gone, and with it what was being written in it.
    func forget(_ sessionId: String) {
        untold[sessionId] = nil
        guard let old = drafts.removeValue(forKey: sessionId) else { return }
        totalBytes -= old.text.utf8.count
        unwritten.remove(sessionId)
        if let folder { unlink(path(folder, sessionId)) }
    }

    private func tell() {
        tellTimer = nil
        let changed = untold
        untold = [:]
        for (sessionId, draft) in changed { onChange(sessionId, draft) }
    }

    // MARK: The files

    private func path(_ folder: String, _ sessionId: String) -> String { "\(folder)/\(sessionId)\(DraftBook.suffix)" }

    private func planWriting() {
        guard folder != nil, writeTimer == nil, !unwritten.isEmpty else { return }
        writeTimer = loop.schedule(after: DraftBook.writeInterval) { [weak self] in
            self?.writeTimer = nil
            self?.flush()
            self?.planWriting()
        }
    }

    /// Writes what has changed. What can't be written is tried again as long as this daemon runs.
    package func flush() {
        guard let folder else { return }
        for sessionId in unwritten {
            let path = path(folder, sessionId)
            guard let draft = drafts[sessionId] else {
                unlink(path)
                unwritten.remove(sessionId)
                continue
            }
            do throws(SystemError) {
                try makeDirectories(folder)
                try writeFile(path, draft.record.serialize(), synchronizes: false)
                unwritten.remove(sessionId)
                hasProblem = false
            } catch {
                if !hasProblem { onProblem("\(path): what is being written can't be kept beyond this run: \(error)") }
                hasProblem = true
                return
            }
        }
    }
}

extension SessionService {
    /// Takes what somebody has written so far in a session, for its other clients and for later.
    /// - Returns: when it was taken.
    /// - Throws: `session_not_found`, `payload_too_large`.
    package func setDraft(
        _ text: String, in sessionId: String, by client: ClientIdentity
    ) throws(Failure) -> Timestamp {
        guard state(of: sessionId) != nil else {
            throw Failure(code: "session_not_found", message: "There is no session \(sessionId.prefix(64)).")
        }
        return try drafts.set(text, in: sessionId, settings.drafts, by: client)
    }
}
