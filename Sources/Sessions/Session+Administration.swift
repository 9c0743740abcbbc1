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
        service.audit("session_renamed", by: client, session: self, details: [:])
        announceChange()
    }

    package func setTags(_ tags: [String], by client: ClientIdentity) throws(Failure) {
        let tags = try Session.checkedTags(tags)
        try requireWritableLog()
        appendStatus("tagged", ["tags": JSON(tags)], source: .user, by: client)
        service.audit("session_tagged", by: client, session: self, details: [:])
        announceChange()
    }

    /// Puts the session away, or takes it out again. As long as nobody writes to it, it goes on as it would.
    package func setArchived(_ isArchived: Bool, by client: ClientIdentity) throws(Failure) {
        guard isArchived != state.isArchived else { return }
        try requireWritableLog()
        let change = isArchived ? "archived" : "unarchived"
        appendStatus(change, source: .user, by: client)
        service.audit("session_" + change, by: client, session: self, details: [:])
        announceChange()
    }

    package func setModel(_ model: String, by client: ClientIdentity) throws(Failure) {
        let model = try Session.checkedName(model, "model")
        try requireWritableLog()
        appendStatus("model", ["model": JSON(model)], source: .user, by: client)
        service.audit("model", by: client, session: self, details: ["model": JSON(model)])
        tellCurrentProvider { $0.setModel(model) }
        announceChange()
    }

    package func setMode(_ mode: String, by client: ClientIdentity) throws(Failure) {
        let mode = try Session.checkedName(mode, "mode")
        try requireWritableLog()
        appendStatus("mode", ["mode": JSON(mode)], source: .user, by: client)
        // A mode may end all asking for permission: who chose it is worth knowing.
        service.audit("mode", by: client, session: self, details: ["mode": JSON(mode)])
        tellCurrentProvider { $0.setMode(mode) }
        announceChange()
    }

    package func setEffort(_ effort: String, by client: ClientIdentity) throws(Failure) {
        let effort = try Session.checkedName(effort, "effort")
        try requireWritableLog()
        appendStatus("effort", ["effort": JSON(effort)], source: .user, by: client)
        tellCurrentProvider { $0.setEffort(effort) }
        announceChange()
    }

    private func tellCurrentProvider(_ tell: @escaping (any ProviderSession) -> Void) {
        let providerId = state.providerId
        log.afterCommit { [weak self] in self?.seats[providerId]?.listening.map(tell) }
    }

    /// Interrupts what runs, gives up what was to be tried again later, and ends the providers' processes. The next
    /// message starts them again.
    package func stop(by client: ClientIdentity) {
        appendStatus("stop_requested", by: client)
        service.audit("session_stopped", by: client, session: self, details: [:])
        unpark(by: client)
        // However it ends now, nobody else is to try it.
        if state.runningTurn != nil { isInterrupting = true }
        if !state.queue.isEmpty { hold("the session was stopped") }
        for seat in seats.values { seat.silence() }
        // Unless it has ended by itself meanwhile: a new one is not what was meant.
        whenKeptOrLogFails { [weak self] in
            for seat in self?.seats.values.filter(\.isStopping) ?? [] { seat.stop() }
        }
        if runningSeat?.provider == nil { closeTurn(error: nil, status: .interrupted, stopReason: "stopped") }
        announceChange()
    }

    // MARK: What clients may name

    /// Checks what a change names, without changing anything.
    package static func check(title: String?, tags: [String]?, _ choice: SessionState.Choice) throws(Failure) {
        if let title { _ = try checkedTitle(title) }
        if let tags { _ = try checkedTags(tags) }
        try check(choice)
    }

    static func check(_ choice: SessionState.Choice) throws(Failure) {
        if let model = choice.model { _ = try checkedName(model, "model") }
        if let mode = choice.mode { _ = try checkedName(mode, "mode") }
        if let effort = choice.effort { _ = try checkedName(effort, "effort") }
    }

    /// Those who are to take part must be there.
    static func check(members: [String], _ providers: any ProviderSource) throws(Failure) {
        guard (1...16).contains(members.count) else {
            throw Failure(
                code: "invalid_request", message: "A session has 1 to 16 providers.", details: ["field": "providerIds"])
        }
        for member in members {
            if let problem = providers.problem(with: member) { throw problem }
        }
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
            tags.map(\.unicodeScalars).allSatisfy({ (1...64).contains($0.count) && !$0.contains(where: \.isControl) })
        else {
            throw Failure(
                code: "invalid_request",
                message: "At most 32 tags of 1 to 64 characters (code points) each, without control characters.",
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
