import Base
import EventLog
import EventLoop
import HubProtocol
package import JSON
import Providers

/// What fails again and again is not started again at once.
extension Session {
    /// The provider that the next turn waits for, if it does.
    private var restingSeat: ProviderSeat? {
        guard state.runningTurn == nil, !state.isHeld, !state.isPaused, let next = state.queue.first else { return nil }
        let seat = seat(next.providerId ?? state.providerId)
        return mustRest(seat) ? seat : nil
    }

    private func mustRest(_ seat: ProviderSeat) -> Bool {
        // While nobody may start it, the turn is told so at once.
        seat.provider == nil && seat.restsUntil > loop.now && service.health.admits(seat.providerId, in: id)
    }

    /// Whether the turn has to wait until its provider may be started again. Says so once, and comes back then.
    func waitsForRest(_ message: SessionState.QueuedMessage, _ seat: ProviderSeat) -> Bool {
        guard mustRest(seat) else { return false }
        if seat.restAnnouncedFor != message.turnId {
            seat.restAnnouncedFor = message.turnId
            appendStatus(
                "provider_backoff",
                [
                    "turnId": JSON(message.turnId), "failures": JSON(seat.failures),
                    "until": JSON(service.health.time(seat.restsUntil).description),
                ], of: seat.providerId)
            announceChange()
        }
        if seat.restTimer?.isPending != true {
            seat.restTimer = loop.schedule(after: seat.restsUntil - loop.now) { [weak self] in
                self?.startNextTurn()
            }
        }
        return true
    }

    /// What the session's record says of it; nil when nothing waits.
    package var backoffRecord: JSON? {
        guard let seat = restingSeat, let next = state.queue.first else { return nil }
        return [
            "providerId": JSON(seat.providerId), "turnId": JSON(next.turnId), "failures": JSON(seat.failures),
            "until": JSON(service.health.time(seat.restsUntil).description),
        ]
    }

    /// A person who interrupts while a turn waits for its provider doesn't want it any more.
    func interruptResting(by client: ClientIdentity) -> Bool {
        guard let seat = restingSeat, let next = state.queue.first else { return false }
        appendStatus("interrupt_requested", by: client)
        append(turnStarted(next, seat))
        closeTurn(error: nil, status: .interrupted, stopReason: "interrupted")
        return true
    }

    /// The process crashed, or could not be started.
    func noteFailure(of seat: ProviderSeat) {
        seat.failures += 1
        seat.restsUntil = loop.now + service.health.rules.wait(afterFailures: seat.failures)
        service.health.failed(seat.providerId)
    }

    /// The provider ended a turn itself: it works.
    func noteSuccess(of seat: ProviderSeat) {
        seat.failures = 0
        seat.restsUntil = .zero
        service.health.worked(seat.providerId)
    }

    /// - Throws: `provider_unavailable`.
    func requireHealth(of seat: ProviderSeat) throws(Failure) {
        let health = service.health[seat.providerId]
        guard health.admits(id, at: loop.now) else {
            let left = (health.until ?? loop.now) - loop.now
            throw .providerUnavailable(
                provider: service.providers.name(of: seat.providerId), failures: health.failures,
                // While somebody else tries, a little later.
                retryAfter: max(10, (left / .seconds(1)).rounded(.up)))
        }
        service.health.starts(seat.providerId, in: id)
    }
}

extension Failure {
    /// Whether it says that a process could not be started, rather than that it should not.
    var isOfProcess: Bool { code == "provider_start_failed" || code == "provider_crashed" }
}
