import Base
import EventLog
import EventLoop
import HubProtocol
import JSON
import Processes
import Providers
import TestSupport
import Testing

@testable import Sessions

/// Sessions under everything that can happen to them, in no order: people, providers, clocks and restarts. What must
/// hold whatever happens is looked at after each step; a failure names the seed and the steps that led to it.
@Suite struct RandomRunTests {
    @Test(arguments: 0..<24) func whatMustHoldHolds(_ seed: Int) throws {
        var run = try RandomRun(seed: UInt64(seed))
        for _ in 0..<250 {
            try run.step()
            try run.check()
        }
        try run.end()
    }
}

private struct RandomRun {
    let fixture: SessionFixture
    var dice: SeededGenerator
    var ids: [String] = []
    var steps: [String] = []
    var number = 0
    /// Nobody has done anything since the daemon was started.
    var isUntouched = false
    let settings: SessionSettings

    init(seed: UInt64) throws {
        dice = SeededGenerator(seed: seed)
        var settings = SessionSettings()
        settings.maxConcurrent = 2
        settings.resumeAfterQuota = seed % 2 == 0
        settings.resumeJitter = 0
        settings.fallback = seed % 3 == 0 ? ["two"] : []
        settings.rest.firstWait = .milliseconds(1)
        settings.rest.longestWait = .milliseconds(2)
        settings.rest.circuitTime = .milliseconds(5)
        self.settings = settings
        let budget = seed % 4 == 0 ? Budget(perDay: Money(usd: 5), perSession: Money(usd: 2)) : Budget()
        fixture = try SessionFixture(
            settings: settings, budget: budget, now: Timestamp(milliseconds: 1_800_000_000_000))
        try makeSession()
    }

    func failure(_ text: String) -> TestFailure {
        TestFailure("\(text)\nafter:\n\(steps.suffix(40).joined(separator: "\n"))")
    }

    mutating func makeSession() throws {
        var creation = SessionService.Creation(providerId: "one", workspace: "/tmp")
        if Bool.random(using: &dice) { creation.providerIds = ["one", "two", "three"] }
        ids.append(try fixture.service.create(creation, by: fixture.client).id)
    }

    func roll(_ count: Int, _ dice: inout SeededGenerator) -> Int { Int.random(in: 0..<count, using: &dice) }

    // MARK: Steps

    mutating func step() throws {
        number += 1
        let choice = roll(100, &dice)
        switch choice {
        case 0: try restart()
        case 1 where ids.count < 4: try makeSession()
        case 2 where ids.count > 1: try delete()
        case 3..<7: jump()
        case 7..<50: try person()
        default: try provider()
        }
        // Sometimes several things happen before the log is written.
        if roll(3, &dice) > 0 { fixture.turn() }
    }

    mutating func restart() throws {
        note("restart")
        try fixture.restart()
        isUntouched = true
    }

    mutating func delete() throws {
        let id = ids.remove(at: roll(ids.count, &dice))
        note("delete \(id.prefix(4))")
        try fixture.service.delete(id, by: fixture.client)
    }

    mutating func jump() {
        let seconds = [1, 50, 101, 4000][roll(4, &dice)]
        note("clock +\(seconds)")
        fixture.time.fixed = Timestamp(milliseconds: fixture.time.now.milliseconds + Int64(seconds) * 1000)
        fixture.service.lookAtParked()
    }

    mutating func note(_ text: String) { steps.append("\(number) \(text)") }

    mutating func person() throws {
        let id = ids[roll(ids.count, &dice)]
        let session = try fixture.service.session(id)
        let by = fixture.client
        isUntouched = false
        let choice = roll(20, &dice)
        note("person \(choice) \(id.prefix(4))")
        do throws(Failure) {
            switch choice {
            case 0..<6:
                let text = ["text \(number)", "@two text \(number)", "@nobody \(number)"][roll(3, &dice)]
                let mode = [MessageMode.queue, .queue, .steer, .reject][roll(4, &dice)]
                let message = IncomingMessage(text, clientMessageId: "m\(number / 2)", mode: mode)
                _ = try session.accept(message, by: by)
            case 6: _ = session.interrupt(by: by)
            case 7: session.stop(by: by)
            case 8: try session.pause(by: by)
            case 9, 10: session.resume(by: by)
            case 11: _ = try session.retry(by: by)
            case 12: _ = try session.retryLater(at: nil, by: by)
            case 13:
                try session.switchProvider(to: ["one", "two"][roll(2, &dice)], SessionState.Choice(model: "m"), by: by)
            case 14:
                if let turn = session.state.queue.randomElement(using: &dice) {
                    try session.withdraw(turn.turnId, by: by)
                }
            case 15: if let turn = session.state.queue.last { try session.reorderQueue([turn.turnId], by: by) }
            case 16: try session.setBudget([nil, 0, 1, 3][roll(4, &dice)], by: by)
            case 17: try session.setMode("plan", by: by)
            default:
                guard let request = session.state.pending.randomElement(using: &dice) else { return }
                if request.isQuestion {
                    _ = try session.answerQuestion(request.requestId, answers: ["q": "yes"], by: by)
                } else {
                    _ = try session.answerPermission(request.requestId, optionId: "yes", message: nil, by: by)
                }
            }
        } catch {
            // A refusal, which is to have changed nothing.
            note("refused: \(error.code)")
        }
    }

    mutating func provider() throws {
        let living = ids.compactMap { fixture.service.loaded[$0] }
            .flatMap { session in session.seats.keys.sorted().compactMap { session.seats[$0]?.provider } }
        guard let one = living.randomElement(using: &dice) as? FakeProvider else { return }
        one.capabilities.steer = true
        one.takesSteering = roll(3, &dice) > 0
        one.stopsAtOnce = roll(3, &dice) > 0
        if one.calls.last == .stop, roll(2, &dice) == 0 {
            note("\(one.providerId) has stopped")
            return one.end(.stopped)
        }
        let item = "i\(number)"
        let choice = roll(24, &dice)
        note("\(one.providerId) \(one.launch.sessionId.prefix(4)) \(choice)")
        let now = Double(fixture.time.now.milliseconds) / 1000
        switch choice {
        case 0: one.say(.sessionReady(SessionReady(nativeSessionId: "n\(roll(3, &dice))", model: "m", mode: "x")))
        case 1: one.say(.chunk(itemId: item, kind: .message, text: "hello"))
        case 2: one.say(.message(Message(itemId: item, text: "hello")))
        case 3: one.say(.toolCall(ToolCall(itemId: "tool\(roll(4, &dice))", nativeId: "x", name: "Bash", title: "t")))
        case 4: one.say(.toolResult(ToolResult(itemId: "tool\(roll(4, &dice))", status: .completed, content: "ok")))
        case 5:
            let yes = PermissionOption(optionId: "yes", label: "Yes", kind: .allowOnce)
            one.say(
                .permissionRequested(PermissionRequest(requestId: item, toolName: "Bash", title: "t", options: [yes])))
        case 6:
            one.say(.questionRequested(QuestionRequest(requestId: item, questions: [Question(id: "q", text: "?")])))
        case 7: one.say(.usage(Usage(input: 3, output: 4)))
        case 8: one.say(.turnStarted(reason: "background"))
        case 9:
            one.say(
                .error(.quotaExhausted(provider: "P", message: "used up", resetsAt: now + 100, now: now)),
                .turnCompleted(TurnOutcome(status: .failed)))
        case 10:
            one.say(.error(.overloaded(provider: "P", message: "busy")), .turnCompleted(TurnOutcome(status: .failed)))
        case 11: one.say(.error(.resumeFailed(provider: "P", message: "gone")))
        case 12: one.end(.exited(.exited(1), errorTail: "boom"))
        case 13: one.end(.exited(.exited(0), errorTail: ""))
        case 14: one.say(.turnCompleted(TurnOutcome(status: .interrupted, stopReason: "cancelled")))
        case 15: one.say(.custom(type: "x", data: ["y": 1]))
        default:
            var usage = Usage(input: 10, output: 5)
            usage.costUsd = Double(roll(4, &dice)) / 4
            one.say(.turnCompleted(TurnOutcome(status: .completed, usage: usage)))
        }
    }

    // MARK: What must hold

    mutating func check() throws {
        let running = ids.compactMap { fixture.service.loaded[$0]?.state.runningTurn }.filter { $0.message != nil }
        guard running.count <= settings.maxConcurrent else { throw failure("\(running.count) turns run at once") }
        // Decision 6: but for what was parked, only a person begins anything.
        let hasResumed = fixture.statuses("retry").contains { $0["reason"] == "parked" }
        if isUntouched, !running.isEmpty, !hasResumed { throw failure("a turn has begun by itself after a restart") }
        for id in ids {
            guard let session = fixture.service.loaded[id] else { continue }
            let state = session.state
            let json = try JSON.parse(state.checkpoint.serialize())
            guard let again = SessionState(checkpoint: json, header: session.log.header) else {
                throw failure("the checkpoint can't be read: \(json)")
            }
            guard again == state else { throw failure("the checkpoint says\n\(again)\nnot\n\(state)") }
            if state.parked != nil, state.unfinished == nil { throw failure("parked without anything to try again") }
            if let next = state.queue.first, state.runningTurn == nil, !state.isHeld, !state.isPaused {
                let seat = session.seat(next.providerId ?? state.providerId)
                let waits =
                    fixture.service.placeInLine(id) != nil || seat.restTimer?.isPending == true || seat.isStopping
                guard waits else { throw failure("\(next.turnId) of \(id.prefix(4)) waits for nothing") }
            }
            let turnIds = state.queue.map(\.turnId) + (state.runningTurn.map { [$0.turnId] } ?? [])
            guard Set(turnIds).count == turnIds.count else { throw failure("a turn is there twice: \(turnIds)") }
        }
    }

    /// Everything is written: now the logs are looked at, and nothing that may go on stands still.
    mutating func end() throws {
        for _ in 0..<20 { fixture.turn() }
        for id in ids {
            let session = try fixture.service.session(id)
            try checkLog(session)
        }
        try settle()
    }

    private func checkLog(_ session: Session) throws {
        let path = "\(fixture.folder.path)/sessions/\(session.id).jsonl"
        var state: SessionState?
        var begun: Set<String> = []
        var running: String?
        for line in try readFile(path).split(separator: 0x0a) {
            let json = try JSON.parse(Array(line))
            guard state != nil else {
                state = LogHeader(json).map { SessionState(header: $0) }
                continue
            }
            let record = try EventRecord(json)
            state?.apply(record)
            switch record.kind {
            case .turnStarted:
                guard running == nil, let turnId = record.turnId else { throw failure("a turn began within another") }
                guard begun.insert(turnId).inserted else { throw failure("\(turnId) began twice") }
                running = turnId
            case .turnCompleted:
                guard running == record.turnId else {
                    throw failure("\(record.turnId ?? "-") ended, not \(running ?? "-")")
                }
                running = nil
            default: break
            }
        }
        guard state == session.state else {
            throw failure("the log says\n\(state.map { "\($0)" } ?? "nothing")\nnot\n\(session.state)")
        }
    }

    /// Whoever is resumed as often as it takes, with providers that do what they should, comes to an end.
    private func settle() throws {
        for round in 0..<400 {
            fixture.loop.turn(waitingAtMost: .milliseconds(1))
            fixture.turn()
            var isDone = true
            for id in ids {
                let session = try fixture.service.session(id)
                let state = session.state
                if state.isPaused || state.isHeld || state.parked != nil {
                    session.resume(by: fixture.client)
                    isDone = false
                }
                for seat in session.seats.values {
                    guard let provider = seat.provider as? FakeProvider else { continue }
                    provider.stopsAtOnce = true
                    if provider.calls.last == .stop { provider.end(.stopped) }
                    if state.runningTurn?.providerId == seat.providerId {
                        provider.say(.turnCompleted(TurnOutcome(status: .completed)))
                    }
                }
                fixture.turn()
                if state.runningTurn != nil || !state.queue.isEmpty { isDone = false }
            }
            if isDone, round > 0 { return }
        }
        let states = ids.compactMap { fixture.service.loaded[$0]?.state }.map { "\($0.record)" }
        throw failure("it stands still:\n\(states.joined(separator: "\n"))")
    }
}
