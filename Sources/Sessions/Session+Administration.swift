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
        log.afterCommit { [weak self] in self?.provider?.setModel(model) }
        announceChange()
    }

    package func setMode(_ mode: String, by client: ClientIdentity) throws(Failure) {
        let mode = try Session.checkedName(mode, "mode")
        try requireWritableLog()
        appendStatus("mode", ["mode": JSON(mode)], source: .user, by: client)
        log.afterCommit { [weak self] in self?.provider?.setMode(mode) }
        announceChange()
    }

    /// Interrupts what runs and ends the provider's process. The next message starts it again.
    package func stop(by client: ClientIdentity) {
        appendStatus("stop_requested", by: client)
        if !state.queue.isEmpty { hold("the session was stopped") }
        log.afterCommit { [weak self] in self?.provider?.stop() }
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
        let title = String(title.prefix(201))
        guard !title.isEmpty, title.count <= 200, !title.unicodeScalars.contains(where: { $0.value < 32 }) else {
            throw Failure(
                code: "invalid_request", message: "A title has 1 to 200 characters and no control characters.",
                details: ["field": "title"])
        }
        return title
    }

    static func checkedTags(_ tags: [String]) throws(Failure) -> [String] {
        guard tags.count <= 32, tags.allSatisfy({ !$0.isEmpty && $0.utf8.count <= 64 }) else {
            throw Failure(
                code: "invalid_request", message: "At most 32 tags of 1 to 64 bytes each.", details: ["field": "tags"])
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
