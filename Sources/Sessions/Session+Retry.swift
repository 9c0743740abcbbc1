package import Base
import EventLog
package import HubProtocol
import JSON
import Providers

/// What becomes of a message whose turn failed: tried again, now or later, by whom or by itself.
extension Session {
    /// Tries the message of the last turn again, which failed or was interrupted. The message stays the one it is: the
    /// new turn refers to it.
    ///
    /// - Throws: `nothing_to_retry`, `provider_not_installed` and the like, `log_unavailable`; nothing has changed then.
    package func retry(by client: ClientIdentity) throws(Failure) -> AcceptedMessage {
        let unfinished = try requireUnfinished()
        let target = unfinished.message.providerId ?? state.providerId
        if let problem = service.providers.problem(with: target),
            unfinished.message.providerId != nil || fallback(after: [target], code: nil) == nil
        {
            throw problem
        }
        let turnId = requeue(unfinished, .person, by: client)
        let position = state.queue.firstIndex { $0.turnId == turnId }
        return AcceptedMessage(
            turnId: turnId, seq: unfinished.message.seq, isQueued: position != nil, position: position.map { $0 + 1 },
            isDuplicate: false)
    }

    /// Has it tried again later, once, by itself.
    ///
    /// - Parameter time: nil: when the error says that it makes sense, else in a minute.
    /// - Throws: `nothing_to_retry`, `invalid_request` (a time that is past, or more than a year off), `log_unavailable`.
    package func retryLater(at time: Timestamp?, by client: ClientIdentity) throws(Failure) -> ParkedTurn {
        let unfinished = try requireUnfinished()
        let now = service.clock()
        if let time, !(now.milliseconds...now.milliseconds + 366 * 86_400_000).contains(time.milliseconds) {
            throw Failure(
                code: "invalid_request", message: "The time must be within the next 366 days.",
                details: ["field": "at"])
        }
        let soon = Timestamp(milliseconds: now.milliseconds + 60_000)
        let until = time ?? unfinished.failure?.retryAt.flatMap { $0 > now ? $0 : nil } ?? soon
        return park(unfinished, until: until, isAutomatic: true, by: client)
    }

    /// Nothing is tried by itself any more.
    func unpark(by client: ClientIdentity) {
        guard state.parked != nil else { return }
        appendStatus("unparked", source: .user, by: client)
    }

    private func requireUnfinished() throws(Failure) -> UnfinishedTurn {
        try service.requireRunning()
        guard let unfinished = state.unfinished else {
            throw Failure(
                code: "nothing_to_retry",
                message: "The last turn neither failed nor was interrupted, or it is being tried again.")
        }
        try requireWritableLog()
        return unfinished
    }

    /// - Returns: the turn that it will have.
    @discardableResult
    private func requeue(_ unfinished: UnfinishedTurn, _ reason: RetryReason, by client: ClientIdentity?) -> String {
        let turnId = state.nextTurnId
        var data: JSONObject = [
            "turnId": JSON(turnId), "retryOf": JSON(unfinished.turnId), "messageSeq": JSON(unfinished.message.seq),
            "reason": JSON(reason.rawValue),
        ]
        data["content"] = JSON(unfinished.message.preview)
        appendStatus(
            "retry", data, source: client == nil ? .core : .user, of: unfinished.message.providerId, by: client)
        // A person who says so knows what it costs; the daemon by itself keeps to the budget.
        if client != nil || !isHeldByBudget { releaseQueue(by: client) }
        startNextTurn()
        announceChange()
        return turnId
    }

    private func park(
        _ unfinished: UnfinishedTurn, until: Timestamp, isAutomatic: Bool, by client: ClientIdentity? = nil
    ) -> ParkedTurn {
        let parked = ParkedTurn(
            turnId: unfinished.turnId, until: until, code: unfinished.failure?.code ?? "", isAutomatic: isAutomatic)
        appendStatus(
            "parked", parked.record.objectValue ?? [:], source: client == nil ? .core : .user,
            of: unfinished.providerId, by: client)
        announceChange()
        return parked
    }

    /// The time for which the turn was parked has come.
    func resumeParked() {
        guard let parked = state.parked, parked.isAutomatic, parked.until <= service.clock(),
            let unfinished = state.unfinished, unfinished.turnId == parked.turnId, !isDeleted
        else { return }
        requeue(unfinished, .parked, by: nil)
    }

    // MARK: By itself

    /// Codes of failures that another provider may well not have.
    private static let fallbackCodes: Set<String> = [
        "provider_crashed", "provider_start_failed", "provider_not_installed", "provider_disabled", "provider_too_old",
        "provider_unavailable", "overloaded", "quota_exhausted", "authentication_failed",
    ]

    /// Does what the configuration says is to be done about a turn that has just failed.
    /// - Returns: whether its message is being tried with another provider.
    func recover(from turnId: String) -> Bool {
        guard let unfinished = state.unfinished, unfinished.turnId == turnId, unfinished.hasFailed,
            let failure = unfinished.failure, !isDeleted, log.failure == nil, service.mayRecover
        else { return false }
        if let next = fallback(for: unfinished) {
            fallBack(from: unfinished, to: next, code: failure.code)
            return true
        }
        if failure.code == "quota_exhausted", let reset = failure.retryAt,
            settings.resumeAfterQuota || unfinished.message.hasResumed
        {
            // Once is enough: when the quota is used up again then, a person decides.
            _ = park(unfinished, until: reset, isAutomatic: !unfinished.message.hasResumed)
        }
        return false
    }

    /// Who is to try a message whose turn failed, or may not even begin; nil: nobody.
    private func fallback(for unfinished: UnfinishedTurn) -> String? {
        // Whoever addresses one by name wants that one; whoever went over to another meanwhile has chosen.
        guard unfinished.message.providerId == nil, unfinished.providerId == state.providerId else { return nil }
        return fallback(
            after: unfinished.message.triedProviders + [unfinished.providerId], code: unfinished.failure?.code)
    }

    /// - Parameter code: of the failure; nil for one that hasn't happened yet.
    func fallback(after tried: [String], code: String?) -> String? {
        if let code, !Session.fallbackCodes.contains(code) { return nil }
        return settings.fallback.first { candidate in
            !tried.contains(candidate) && service.providers.problem(with: candidate) == nil
                && (seats[candidate]?.listening != nil || service.health.admits(candidate, in: id))
        }
    }

    private func fallBack(from unfinished: UnfinishedTurn, to next: String, code: String) {
        appendStatus(
            "fallback",
            [
                "from": JSON(unfinished.providerId), "to": JSON(next), "code": JSON(code),
                "turnId": JSON(unfinished.turnId),
            ], of: next)
        // What was chosen for the one that failed says nothing about this one.
        let choice = state.choices[next] == nil ? service.providers.defaults(of: next) : SessionState.Choice()
        goOver(to: next, choice, by: nil)
        requeue(unfinished, .fallback, by: nil)
    }
}
