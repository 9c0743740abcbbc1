import EventLog
package import HubProtocol
import JSON
package import Providers

/// The providers' seats: who takes part, and who is asked next.
extension Session {
    func seat(_ providerId: String) -> ProviderSeat {
        if let seat = seats[providerId] { return seat }
        let seat = ProviderSeat(providerId: providerId)
        seats[providerId] = seat
        return seat
    }

    /// The seat of the turn that runs.
    var runningSeat: ProviderSeat? { state.runningTurn.flatMap { seats[$0.providerId] } }

    /// Whether any provider has a process.
    var hasProvider: Bool { seats.values.contains { $0.provider != nil } }

    /// The processes behind the session.
    package var processes: [(providerId: String, pid: Int32)] {
        seats.values.compactMap { seat in (seat.provider?.processId).map { (seat.providerId, $0) } }
    }

    func stopProviders() {
        for seat in seats.values { seat.stop() }
    }

    /// Starts the provider's process. The seat is vacant afterwards if it could not even be tried.
    /// - Throws: `provider_unavailable`, and what `ProviderSource.makeSession` throws.
    func start(_ seat: ProviderSeat) throws(Failure) {
        try requireHealth(of: seat)
        let choice = state.choices[seat.providerId] ?? SessionState.Choice()
        let memory = state.memories[seat.providerId]
        let made = try service.providers.makeSession(
            seat.providerId,
            ProviderStart(
                sessionId: id, workspace: state.workspace, model: choice.model, mode: choice.mode,
                effort: choice.effort, resumeNativeSessionId: memory?.nativeSessionId,
                forksNativeSession: memory?.isOfOrigin ?? false, knownCostUsd: memory?.costUsd))
        made.delegate = self
        seat.take(made)
        made.start()
        // It may have ended already.
        guard let pid = seat.provider?.processId else { return }
        appendStatus("process_started", ["pid": .int(Int64(pid))], of: seat.providerId)
    }

    // MARK: Who is asked

    /// Goes over to another provider: from the next turn on, with what was said before. The turn that runs ends as it is.
    ///
    /// - Throws: `provider_not_found`, `provider_not_installed` and the like, `invalid_request` (a name),
    ///   `log_unavailable`; nothing has changed then.
    package func switchProvider(
        to providerId: String, _ choice: SessionState.Choice, by client: ClientIdentity
    ) throws(Failure) {
        try Session.check(choice)
        if let problem = service.providers.problem(with: providerId) { throw problem }
        try requireWritableLog()
        goOver(to: providerId, choice, by: client)
        // What waited for the other one needn't any more.
        startNextTurn()
    }

    /// - Parameter client: nil: the daemon's own decision.
    func goOver(to providerId: String, _ choice: SessionState.Choice, by client: ClientIdentity?) {
        let before = state.providerId
        var data: JSONObject = ["from": JSON(before), "to": JSON(providerId)]
        data["model"] = choice.model.map { JSON($0) }
        data["mode"] = choice.mode.map { JSON($0) }
        data["effort"] = choice.effort.map { JSON($0) }
        appendStatus(
            "provider_switched", data, source: client == nil ? .core : .user, of: providerId, by: client)
        service.audit("provider_switched", by: client, session: self, details: data)
        if before != providerId, let seat = seats[before] {
            seat.isLeaving = true
            log.afterCommit { [weak self] in self?.dismissLeaving() }
        }
        if let seat = seats[providerId] {
            seat.isLeaving = false
            log.afterCommit { seat.apply(choice) }
        }
        announceChange()
    }

    /// Ends those whom the session went over from, unless they still have a turn.
    func dismissLeaving() {
        for seat in seats.values where seat.isLeaving && !seat.isStopping {
            let hasTurn = state.runningTurn?.providerId == seat.providerId
            let isAddressed = state.queue.contains { $0.providerId == seat.providerId }
            if !hasTurn, !isAddressed { seat.stop() }
        }
    }

    /// Lets further providers take part; a message that begins with the name of one is for that one.
    package func invite(_ providerIds: [String], by client: ClientIdentity) throws(Failure) {
        try Session.check(members: providerIds, service.providers)
        try requireWritableLog()
        appendStatus("providers", ["providerIds": JSON(providerIds)], source: .user, by: client)
        service.audit("providers_invited", by: client, session: self, details: ["providerIds": JSON(providerIds)])
        announceChange()
    }

    // MARK: What was said without it

    /// What the provider has to be told before the next message; nil when it knows everything.
    func news(for providerId: String) -> CarriedContext? {
        guard state.hasNews(for: providerId) else { return nil }
        let memory = state.memories[providerId] ?? ProviderMemory()
        let window = service.providers.limits(of: providerId).contextWindow(of: state.choices[providerId]?.model)
        // Half of the window, three bytes to a token: room must be left for what is to be said now.
        let limit = min(settings.carriedBytes, (window ?? 128_000) / 2 * 3)
        var records: [EventRecord] = []
        var before = Int.max
        var bytes = 0
        // As much as could be told, even if half of it is thoughts and deltas; a read that fails ends it early.
        for _ in 0..<16 {
            guard let page = try? log.page(before: before, limit: 500, maxBytes: 1 << 20) else { break }
            records.insert(contentsOf: page.records, at: 0)
            bytes += page.records.reduce(0) { $0 + ($1.data["content"]?.stringValue?.utf8.count ?? 64) }
            before = page.next ?? 0
            if before <= memory.toldThrough || bytes > 2 * limit { break }
        }
        return CarriedContext(
            records, isComplete: before <= memory.toldThrough, limit: limit, name: service.providers.name(of:)
        ) { other, end in
            memory.misses(turnEndedAt: end, isOwn: other == providerId)
        }
    }

    /// As `news`, and written into the log that it is told.
    func carryContext(to providerId: String) -> String? {
        guard let context = news(for: providerId) else { return nil }
        appendStatus("context_carried", context.json, of: providerId)
        return context.text
    }

    package func contextForNewConversation(of source: any ProviderSession) -> String? {
        guard let seat = seats.values.first(where: { $0.provider === source }), !isDeleted else { return nil }
        return carryContext(to: seat.providerId)
    }
}

extension ProviderSeat {
    func apply(_ choice: SessionState.Choice) {
        if let model = choice.model { listening?.setModel(model) }
        if let mode = choice.mode { listening?.setMode(mode) }
        if let effort = choice.effort { listening?.setEffort(effort) }
    }
}
