import Client
import JSON

/// The line being written follows the person from client to client.
extension Attachment {
    private static let draftDelay = Duration.milliseconds(500)

    /// The session's draft stands in the line, unless something else does.
    mutating func loadDraft(_ session: JSON) {
        let record = session.objectValue ?? [:]
        drafts = DraftKeeper(
            known: session["draft"]?["text"]?.stringValue, isOffered: record.contains { $0.key == "draft" })
        if editor.isEmpty, !drafts.known.isEmpty { editor.replace(with: Sanitizer.clean(drafts.known)) }
    }

    /// After each key: what was written is stored when nothing follows for a moment.
    mutating func noteDraft() {
        if let number = drafts.changed(to: editor.string) {
            later(Attachment.draftDelay, .draftWaited(number))
        }
    }

    mutating func storeDraft(_ number: Int) {
        guard let text = drafts.due(number, line: editor.string) else { return }
        let (stream, id) = (stream, view.sessionId)
        // What can't be stored is still in the line.
        Task { _ = try? await stream.send("session:draft", ["sessionId": JSON(id), "text": JSON(text)]) }
    }

    /// Before the line is another session's.
    mutating func leaveDraft() {
        let text = DraftKeeper.text(of: editor.string)
        if drafts.isOffered, text != drafts.known {
            let (connection, path) = (connection, "/sessions/\(view.sessionId)/draft")
            Task { _ = try? await connection.call("PUT", path, ["text": JSON(text)]) }
        }
        if drafts.isOffered { editor.replace(with: "") }
    }

    mutating func takeDraft(_ frame: HubFrame) {
        guard frame.sessionId == view.sessionId, let text = frame.payload?["text"]?.stringValue else { return }
        let clean = Sanitizer.clean(text)
        if drafts.arrived(clean, line: editor.string) { editor.replace(with: clean) }
    }
}
