import EventLog
import EventLoop
import HubProtocol
import JSON
import Processes
package import Providers
import Redaction

extension Session: ProviderSessionDelegate {
    package func providerSession(_ source: any ProviderSession, emitted events: [NormalizedEvent]) {
        guard let seat = seats.values.first(where: { $0.provider === source }), !isDeleted else { return }
        var merged: (itemId: String, kind: ChunkKind, text: String)?
        for event in events {
            if case .chunk(let itemId, let kind, let text) = event {
                // Neighbouring pieces of one item that arrived together travel together: one frame, one encode.
                if let piece = merged, piece.itemId == itemId, piece.kind == kind, piece.text.utf8.count < 16_384 {
                    merged?.text += text
                    continue
                }
                if let piece = merged { stream(piece.itemId, piece.kind, piece.text, from: seat) }
                merged = (itemId, kind, text)
                continue
            }
            if let piece = merged { stream(piece.itemId, piece.kind, piece.text, from: seat) }
            merged = nil
            handle(event, from: seat)
        }
        if let piece = merged { stream(piece.itemId, piece.kind, piece.text, from: seat) }
    }

    /// A longer delta is cut into pieces: one that is larger than a client's whole queue would make every client slow.
    private static let maxChunkBytes = 64 << 10

    private func stream(_ itemId: String, _ kind: ChunkKind, _ text: String, from seat: ProviderSeat) {
        var rest = Substring(text)
        while rest.utf8.count > Session.maxChunkBytes {
            var end = rest.utf8.index(rest.startIndex, offsetBy: Session.maxChunkBytes)
            // Never within a character's bytes.
            while rest.utf8[end] & 0xc0 == 0x80 { rest.utf8.formIndex(before: &end) }
            streamPiece(itemId, kind, String(rest[..<end]), from: seat)
            rest = rest[end...]
        }
        streamPiece(itemId, kind, String(rest), from: seat)
    }

    private func streamPiece(_ itemId: String, _ kind: ChunkKind, _ text: String, from seat: ProviderSeat) {
        guard !text.isEmpty else { return }
        lastActivity = loop.now
        let turnId = turnId(of: seat)
        let offset = openItems.append(itemId, kind, of: seat.providerId, turnId: turnId, text: text)
        let chunk = StreamChunk(sessionId: id, turnId: turnId, itemId: itemId, kind: kind, text: text, offset: offset)
        // Deltas are not worth memory while nothing can be written: the durable event says it all.
        guard log.failure == nil else { return }
        // What was appended before this piece must be published before it, too. By then the item's durable event may
        // have come, which says it all.
        log.afterCommit { [weak self] in
            guard let self, !isDeleted, openItems.contains(itemId, kind) else { return }
            service.observer?.session(self, streamed: chunk)
        }
    }

    /// The turn that what it says belongs to: what one says while another has its turn belongs to none.
    private func turnId(of seat: ProviderSeat) -> String? {
        guard let turn = state.runningTurn, turn.providerId == seat.providerId else { return nil }
        return turn.turnId
    }

    private func handle(_ event: NormalizedEvent, from seat: ProviderSeat) {
        switch event {
        case .sessionReady(let ready): handle(ready, from: seat)
        case .turnStarted(let reason): beginUnsentTurn(reason, of: seat)
        case .permissionRequested(let request):
            beginUnsentTurnIfIdle(of: seat)
            appendRequest(
                .permissionRequested, from: seat, itemId: request.itemId, nativeId: request.nativeId, request.json)
        case .questionRequested(let request):
            beginUnsentTurnIfIdle(of: seat)
            appendRequest(
                .questionRequested, from: seat, itemId: request.itemId, nativeId: request.nativeId, request.json)
        case .requestWithdrawn(let requestId):
            guard
                let request = state.pending.first(where: {
                    $0.requestId == requestId && ($0.providerId ?? seat.providerId) == seat.providerId
                })
            else { return }
            resolveCancelled(request)
            announceChange()
        case .turnCompleted(let outcome): providerFinished(outcome, seat)
        default:
            guard let draft = event.draft(providerId: seat.providerId, turnId: turnId(of: seat)) else { return }
            switch event {
            case .message(let message): openItems.close(message.itemId, .message)
            case .thinking(let itemId, _, _, _): openItems.close(itemId, .thinking)
            case .toolResult(let result): openItems.close(result.itemId, .toolOutput)
            case .quota(let quota): service.providers.note(quota, of: seat.providerId)
            default: break
            }
            append(draft.kind == .error ? draft.cleaned(by: service.redactor) : draft)
            if draft.kind == .status || draft.kind == .usage { announceChange() }
        }
    }

    private func handle(_ ready: SessionReady, from seat: ProviderSeat) {
        var data = ready.details
        data["nativeSessionId"] = JSON(ready.nativeSessionId)
        data["model"] = ready.model.map { JSON($0) }
        data["mode"] = ready.mode.map { JSON($0) }
        if !ready.availableModels.isEmpty { data["models"] = JSON(ready.availableModels) }
        if !ready.availableModes.isEmpty { data["modes"] = JSON(ready.availableModes) }
        if !ready.availableEfforts.isEmpty { data["efforts"] = JSON(ready.availableEfforts) }
        appendStatus("native_session", data, source: .agent, of: seat.providerId)
        announceChange()
    }

    private func providerFinished(_ outcome: TurnOutcome, _ seat: ProviderSeat) {
        noteSuccess(of: seat)
        if let turn = state.runningTurn, turn.providerId == seat.providerId, turn.turnId == seat.handedTurnId {
            return finishTurn(outcome, isSynthetic: false)
        }
        // Something of its own ended while a message was on its way to it: that message's turn goes on.
        var data: JSONObject = ["status": JSON(outcome.status.rawValue)]
        if let usage = outcome.usage { data = data.merging(priced(usage, of: seat.providerId)) }
        appendStatus("background_turn_completed", data, source: .agent, of: seat.providerId)
    }

    private func beginUnsentTurn(_ reason: String, of seat: ProviderSeat) {
        guard state.runningTurn == nil else { return }
        let turnId = state.nextTurnId
        seat.handedTurnId = turnId
        append(
            EventDraft(
                .turnStarted, source: .agent, turnId: turnId, providerId: seat.providerId,
                data: ["reason": JSON(reason)]))
        announceChange()
    }

    /// A request outside any turn would have nothing to be closed by.
    private func beginUnsentTurnIfIdle(of seat: ProviderSeat) {
        if state.runningTurn == nil { beginUnsentTurn("provider_request", of: seat) }
    }

    private func appendRequest(
        _ kind: EventKind, from seat: ProviderSeat, itemId: String?, nativeId: String?, _ data: JSONObject
    ) {
        append(
            EventDraft(
                kind, source: .agent, turnId: turnId(of: seat), itemId: itemId, providerId: seat.providerId,
                nativeId: nativeId, data: data))
        announceChange()
    }

    package func providerSession(_ source: any ProviderSession, ended reason: ProviderEnd) {
        guard let seat = seats.values.first(where: { $0.provider === source }) else { return }
        let wasStopping = seat.isStopping
        seat.vacate()
        service.providerEnded(self)
        service.health.trialEnded(seat.providerId, in: id)
        guard !isDeleted else { return }
        let hasTurn = state.runningTurn?.providerId == seat.providerId
        switch reason {
        case .stopped:
            appendStatus("process_exited", ["requested": true], of: seat.providerId)
            if hasTurn { closeTurn(error: nil, status: .interrupted, stopReason: "stopped") }
        case .failedToStart(let failure):
            if !wasStopping, failure.isOfProcess { noteFailure(of: seat) }
            if hasTurn { closeTurn(error: failure) }
        case .exited(let status, let errorTail):
            var data: JSONObject = [:]
            switch status {
            case .exited(let code): data["exitCode"] = .int(Int64(code))
            case .signaled(let number): data["signal"] = .int(Int64(number))
            }
            appendStatus("process_exited", data, of: seat.providerId)
            data["stderr"] = JSON(errorTail)
            let isCrash = hasTurn ? !isInterrupting : status != .exited(0)
            if isCrash, !wasStopping { noteFailure(of: seat) }
            // One that doesn't heed an interrupt is ended by its adapter: what was asked for has come about.
            if hasTurn, isInterrupting {
                closeTurn(error: nil, status: .interrupted, stopReason: "process_ended")
            } else if hasTurn {
                let name = service.providers.name(of: seat.providerId)
                closeTurn(
                    error: Failure(
                        code: "provider_crashed", message: "\(name) ended unexpectedly (\(status)).",
                        recoverable: true, actions: [.retry, .switchProvider], details: data))
            }
        }
        // What it asked for or began outside a turn has nobody behind it any more.
        closeOpenThings(of: seat.providerId, toolStatus: .cancelled)
        // What was sent while the provider was ending.
        startNextTurn()
        announceChange()
    }
}
