import JSON
import ProviderClaude
import Providers
import Testing

/// When a turn of ours ends, by the lines that decide it. What the real program does in each case is in
/// `RealClaudeTests.Steering`; here is what it can't be made to do at will.
struct ClaudeTurnTests {
    private func begun(_ uuid: String = "u") -> ClaudeDecoder {
        var decoder = ClaudeDecoder()
        decoder.beginTurn(uuid: uuid)
        _ = message(&decoder, uuid, "queued")
        _ = message(&decoder, uuid, "started")
        return decoder
    }

    private func message(_ decoder: inout ClaudeDecoder, _ uuid: String, _ state: String) -> [NormalizedEvent] {
        let line: JSON = ["type": "command_lifecycle", "command_uuid": JSON(uuid), "state": JSON(state)]
        return decoder.decode(line.serialize()).events
    }

    private func result(_ decoder: inout ClaudeDecoder, of uuids: [String], status: String = "success")
        -> [NormalizedEvent]
    {
        let line: JSON = [
            "type": "result", "subtype": JSON(status), "user_message_uuids": JSON(uuids), "duration_ms": 5,
            "model_usage_since_last_result": ["m": ["inputTokens": 1, "outputTokens": 2, "costUSD": 0.5]],
        ]
        return decoder.decode(line.serialize()).events
    }

    private func outcomes(_ events: [NormalizedEvent]) -> [TurnOutcome] {
        events.compactMap { if case .turnCompleted(let outcome) = $0 { outcome } else { nil } }
    }

    @Test func aVersionThatDoesNotReportItsQueueIsToldNothingMore() {
        var decoder = ClaudeDecoder()
        decoder.beginTurn(uuid: "u")
        #expect(!decoder.takesAdditions)
        decoder = begun()
        #expect(decoder.takesAdditions)
        decoder.isInterrupting = true
        #expect(!decoder.takesAdditions)
    }

    @Test func anAdditionThatWasReadEndsWithTheTurn() {
        var decoder = begun()
        decoder.addToTurn(uuid: "a", text: "x")
        #expect(message(&decoder, "a", "started").isEmpty)
        // Not even named by the result: it was read before.
        #expect(outcomes(result(&decoder, of: ["u"])).map(\.status) == [.completed])
        #expect(decoder.turn == .none)
    }

    @Test("One that is never answered doesn't keep the turn open", arguments: ["cancelled", "discarded", "refused"])
    func lostAddition(_ state: String) {
        var decoder = begun()
        decoder.addToTurn(uuid: "a", text: "x")
        #expect(outcomes(result(&decoder, of: ["u"])).isEmpty)
        #expect(decoder.turn == .sent(uuid: "u"))
        let events = message(&decoder, "a", state)
        #expect(events.first == .status(type: "steer_withdrawn", data: ["content": "x", "reason": JSON(state)]))
        #expect(outcomes(events).map(\.status) == [.completed])
        #expect(message(&decoder, "a", state).isEmpty)
    }

    @Test func theUsageIsOfAllParts() throws {
        var decoder = begun()
        decoder.addToTurn(uuid: "a", text: "x")
        decoder.addToTurn(uuid: "b", text: "y")
        #expect(outcomes(result(&decoder, of: ["u"])).isEmpty)
        #expect(outcomes(result(&decoder, of: ["a"])).isEmpty)
        let outcome = try #require(outcomes(result(&decoder, of: ["b"])).first)
        #expect(outcome.usage == Usage(input: 3, output: 6, costUsd: 1.5, model: "m"))
        #expect(outcome.durationMs == 15)
    }

    @Test func aMessageThatIsTakenBackEndsItsTurnOnce() {
        var decoder = ClaudeDecoder()
        decoder.beginTurn(uuid: "u")
        decoder.isInterrupting = true
        _ = message(&decoder, "u", "queued")
        let ended = outcomes(message(&decoder, "u", "cancelled"))
        #expect(ended.map(\.stopReason) == ["withdrawn"])
        #expect(message(&decoder, "u", "cancelled").isEmpty)
        // One that had begun is closed by its result alone.
        decoder = begun()
        #expect(message(&decoder, "u", "cancelled").isEmpty)
        #expect(outcomes(result(&decoder, of: ["u"])).count == 1)
        #expect(message(&decoder, "u", "cancelled").isEmpty)
    }

    @Test func aRefusedMessageIsAFailedTurn() {
        var decoder = ClaudeDecoder()
        decoder.beginTurn(uuid: "u")
        _ = message(&decoder, "u", "queued")
        let ended = outcomes(message(&decoder, "u", "refused"))
        #expect(ended.map(\.status) == [.failed] && ended.map(\.stopReason) == ["refused"])
    }

    @Test func aResultOfNeitherIsAnotherTurns() {
        var decoder = begun()
        decoder.addToTurn(uuid: "a", text: "x")
        #expect(outcomes(result(&decoder, of: ["z"])).isEmpty)
        #expect(outcomes(result(&decoder, of: ["u", "a"])).count == 1)
    }

    // MARK: Beside turns

    @Test func whatIsPaidForByUseIsNotRejected() {
        var decoder = ClaudeDecoder()
        let line: JSON = [
            "type": "rate_limit_event",
            "rate_limit_info": [
                "status": "rejected", "rateLimitType": "five_hour", "resetsAt": 5, "isUsingOverage": true,
                "overageStatus": "allowed", "overageResetsAt": 9,
                "unifiedWindows": [
                    "five_hour": ["utilization": 1, "resetsAt": 5, "status": "rejected"],
                    "seven_day": ["utilization": 1, "resetsAt": 7, "status": "rejected"],
                ],
            ],
        ]
        let events = decoder.decode(line.serialize()).events
        #expect(
            events == [
                .quota(Quota(status: "warning", resetsAt: 7, window: "seven_day", utilization: 1)),
                .quota(Quota(status: "allowed", resetsAt: 9, window: "overage")),
                .quota(Quota(status: "warning", resetsAt: 5, window: "five_hour", utilization: 1)),
            ])
    }

    @Test func effortsAreThoseOfTheModel() {
        let models = ClaudeModels([
            ["value": "big", "resolvedModel": "big-1", "supportedEffortLevels": ["low", "max"]],
            ["value": "small", "supportsEffort": false, "supportedEffortLevels": ["low"]], ["value": 7],
        ])
        #expect(models.models == ["big", "small"])
        #expect(models.efforts(of: "big-1") == ["low", "max"] && models.efforts(of: "small").isEmpty)
        #expect(models.efforts(of: nil) == ["low", "max"] && models.efforts(of: "other") == ["low", "max"])
        #expect(ClaudeModels(nil).models.isEmpty)
    }
}
