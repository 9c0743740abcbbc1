import Base
import EventLog
package import HubProtocol
import JSON
import Providers

extension Session {
    package func rename(_ title: String, by client: ClientIdentity) throws(Failure) {
        let title = try Session.checkedTitle(title)
        try requireWritableLog()
        appendStatus("renamed", ["title": JSON(title)], source: .user, by: client)
        announceChange()
    }

    package func setTags(_ tags: [String], by client: ClientIdentity) throws(Failure) {
        let tags = try Session.checkedTags(tags)
        try requireWritableLog()
        appendStatus("tagged", ["tags": JSON(tags)], source: .user, by: client)
        announceChange()
    }

    package func setModel(_ model: String, by client: ClientIdentity) throws(Failure) {
        let model = try Session.checkedName(model, "model")
        try requireWritableLog()
        appendStatus("model", ["model": JSON(model)], source: .user, by: client)
        service.audit("model", by: client, session: self, details: ["model": JSON(model)])
        log.afterCommit { [weak self] in self?.listeningProvider?.setModel(model) }
        announceChange()
    }

    package func setMode(_ mode: String, by client: ClientIdentity) throws(Failure) {
        let mode = try Session.checkedName(mode, "mode")
        try requireWritableLog()
        appendStatus("mode", ["mode": JSON(mode)], source: .user, by: client)
        // A mode may end all asking for permission: who chose it is worth knowing.
        service.audit("mode", by: client, session: self, details: ["mode": JSON(mode)])
        log.afterCommit { [weak self] in self?.listeningProvider?.setMode(mode) }
        announceChange()
    }

    /// Interrupts what runs and ends the provider's process. The next message starts it again.
    package func stop(by client: ClientIdentity) {
        appendStatus("stop_requested", by: client)
        if !state.queue.isEmpty { hold("the session was stopped") }
        silenceProvider()
        // Unless it has ended by itself meanwhile: a new one is not what was meant.
        whenKeptOrLogFails { [weak self] in if self?.isProviderStopping == true { self?.stopProvider() } }
        if provider == nil { closeTurn(error: nil, status: .interrupted, stopReason: "stopped") }
        announceChange()
    }

    // MARK: What clients may name

    /// Checks what a change names, without changing anything.
    package static func check(title: String?, tags: [String]?, model: String?, mode: String?) throws(Failure) {
        if let title { _ = try checkedTitle(title) }
        if let tags { _ = try checkedTags(tags) }
        if let model { _ = try checkedName(model, "model") }
        if let mode { _ = try checkedName(mode, "mode") }
    }

    static func checkedTitle(_ title: String) throws(Failure) -> String {
        // Scalars, not what is seen as characters: one of those may have any number of marks on it.
        guard (1...200).contains(title.unicodeScalars.count), !title.unicodeScalars.contains(where: \.isControl) else {
            throw Failure(
                code: "invalid_request",
                message: "A title has 1 to 200 characters (code points) and no control characters.",
                details: ["field": "title"])
        }
        return title
    }

    static func checkedTags(_ tags: [String]) throws(Failure) -> [String] {
        guard tags.count <= 32,
            tags.allSatisfy({ (1...64).contains($0.utf8.count) && !$0.unicodeScalars.contains(where: \.isControl) })
        else {
            throw Failure(
                code: "invalid_request",
                message: "At most 32 tags of 1 to 64 bytes each, without control characters.",
                details: ["field": "tags"])
        }
        return tags
    }

    /// Model and mode names reach the provider's command line: nothing that could be taken for an option.
    static func checkedName(_ name: String, _ field: String) throws(Failure) -> String {
        let isSafe = name.utf8.allSatisfy { $0 > 32 && $0 < 127 } && !name.hasPrefix("-")
        guard !name.isEmpty, name.utf8.count <= 128, isSafe else {
            throw Failure(
                code: "invalid_request",
                message:
                    "A \(field) has 1 to 128 printable ASCII characters, no spaces, and doesn't begin with a dash.",
                details: ["field": JSON(field)])
        }
        return name
    }
}
