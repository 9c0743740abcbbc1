import EventLog
import EventLoop
import HubProtocol
import JSON
import Providers
import TestSupport
import Testing

@testable import Sessions

@Suite(.timeLimit(.minutes(10))) struct ForkTests {
    private let fixture: SessionFixture
    private let session: Session
    /// The last event of each turn.
    private var ends: [Int] = []

    /// A session with two finished turns.
    init() throws {
        fixture = try SessionFixture()
        fixture.providers.canFork = true
        session = try fixture.makeSession()
        for (question, answer) in [("What is it?", "It is 42."), ("Why?", "Because of the mice.")] {
            try fixture.send(question, to: session, id: question)
            fixture.provider.say(
                .sessionReady(SessionReady(nativeSessionId: "n1")),
                .message(Message(itemId: "m\(ends.count)", text: answer)),
                .turnCompleted(TurnOutcome(status: .completed, usage: Usage(input: 10, output: 5, costUsd: 0.5))))
            fixture.turn()
            ends.append(session.log.committedSeq)
        }
    }

    private func fork(at seq: Int? = nil, title: String? = nil) throws -> Session {
        var outcome: Result<ImportResult, Failure>?
        try fixture.service.imports.fork(session, atSeq: seq, title: title, by: fixture.client) { outcome = $0 }
        try eventually("the fork is made") {
            fixture.turn()
            return outcome != nil
        }
        return try #require(outcome).get().session
    }

    @Test func aForkAtTheEndGoesOnInAForkOfTheNativeSession() throws {
        let copy = try fork(title: "Another way")
        #expect(copy.id != session.id)
        #expect(copy.state.title == "Another way")
        #expect(
            try copy.log.read(limit: 100, where: [.message]).map { $0.data["content"]?.stringValue ?? "" } == [
                "What is it?", "It is 42.", "Why?", "Because of the mice.",
            ])
        try fixture.send("And now?", to: copy)
        #expect(fixture.provider.launch.resumeNativeSessionId == "n1")
        #expect(fixture.provider.launch.forksNativeSession)
        #expect(fixture.provider.prompt?.context == nil)
        fixture.provider.say(
            .sessionReady(SessionReady(nativeSessionId: "n2")), .turnCompleted(TurnOutcome(status: .completed)))
        fixture.turn()
        // From then on it is its own, and the origin still has its.
        #expect(copy.state.memories["echo"]?.ownSessionId == "n2")
        #expect(session.state.memories["echo"]?.ownSessionId == "n1")
        #expect(!copy.state.hasNews(for: "echo"))
    }

    @Test func aForkFromTheMiddleIsToldWhatWasSaidUntilThen() throws {
        let copy = try fork(at: ends[0])
        #expect(copy.state.turnCount == 1)
        try fixture.send("Why not 43?", to: copy)
        #expect(fixture.provider.launch.resumeNativeSessionId == nil)
        let context = try #require(fixture.provider.prompt?.context)
        #expect(context.contains("It is 42."))
        #expect(!context.contains("mice"))
    }

    @Test func whereTheProviderCannotForkItIsTold() throws {
        fixture.providers.canFork = false
        let copy = try fork()
        try fixture.send("And now?", to: copy)
        #expect(fixture.provider.launch.resumeNativeSessionId == nil)
        #expect(fixture.provider.prompt?.context?.contains("mice") == true)
    }

    @Test func whatRunsOrWaitsInTheOriginIsClosedInTheCopy() throws {
        try fixture.send("Do it", to: session)
        fixture.provider.say(
            .toolCall(ToolCall(itemId: "c1", name: "Bash", title: "ls")),
            .permissionRequested(
                PermissionRequest(
                    requestId: "r1", itemId: "c1", toolName: "Bash", title: "ls",
                    options: [PermissionOption(optionId: "y", label: "Yes", kind: .allowOnce)])))
        try fixture.send("and then this", to: session, id: "later")
        let copy = try fork()
        let state = copy.state
        #expect(state.runningTurn == nil && state.pending.isEmpty && state.openTools.isEmpty && state.queue.isEmpty)
        #expect(state.lastTurnStatus == "interrupted" && !state.isHeld)
        // The origin goes on, and the copy's next turn has a number of its own.
        #expect(session.state.runningTurn?.turnId == "t3" && session.state.queue.count == 1)
        #expect(try fixture.send("go", to: copy).turnId == "t5")
        // The same name for a message is another message there.
        #expect(try !fixture.send("again", to: copy, id: "later").isDuplicate)
    }

    @Test func whatTheOriginCostIsNotCountedTwice() throws {
        let copy = try fork()
        #expect(session.state.record["costUsd"]?.doubleValue == 1)
        #expect(copy.state.record["costUsd"]?.doubleValue == 0)
        #expect(copy.state == SessionState(checkpoint: copy.state.checkpoint, header: copy.log.header))
    }

    @Test func itIsThereAfterARestart() throws {
        let copy = try fork(at: ends[0])
        let before = copy.state
        try fixture.restart()
        #expect(try fixture.service.session(copy.id).state == before)
    }

    @Test(arguments: [-1, 0, 1_000_000]) func thereIsNoSuchEvent(_ seq: Int) throws {
        let count = fixture.service.count
        #expect(throws: Failure.self) { try fork(at: seq) }
        #expect(throws: Failure.self) { try fork(title: "") }
        #expect(fixture.service.count == count)
    }
}
