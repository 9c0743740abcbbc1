import EventLog
import HubProtocol
import JSON
import Processes
import Providers
import Testing

@testable import Sessions

@Suite struct SwitchingTests {
    /// A session in which `one` answered a first message.
    private func fixture() throws -> (SessionFixture, Session) {
        let fixture = try SessionFixture()
        let session = try fixture.service.create(.init(providerId: "one", workspace: "/tmp"), by: fixture.client)
        fixture.turn()
        try converse(fixture, session, "What is the answer?", "It is 42.", native: "n1")
        return (fixture, session)
    }

    private func converse(
        _ fixture: SessionFixture, _ session: Session, _ question: String, _ answer: String, native: String? = nil
    ) throws {
        let accepted = try fixture.send(question, to: session)
        let provider = try #require(fixture.provider(of: session.state.runningTurn?.providerId))
        if let native { provider.say(.sessionReady(SessionReady(nativeSessionId: native))) }
        provider.say(
            .message(Message(itemId: "\(accepted.turnId).m", text: answer)),
            .turnCompleted(TurnOutcome(status: .completed)))
        fixture.turn()
    }

    private func choose(_ providerId: String, _ session: Session, _ fixture: SessionFixture) throws {
        try session.switchProvider(to: providerId, SessionState.Choice(), by: fixture.client)
        fixture.turn()
    }

    @Test func theNewProviderIsToldWhatWasSaid() throws {
        let (fixture, session) = try fixture()
        try choose("two", session, fixture)
        #expect(session.state.providerId == "two")
        #expect(session.state.providerIds == ["one", "two"])
        #expect(fixture.provider(of: "one")?.calls.last == .stop)
        try fixture.send("Why?", to: session)
        let context = try #require(fixture.provider.prompt?.context)
        #expect(fixture.provider.prompt?.text == "Why?")
        #expect(context.contains("Person: What is the answer?\none: It is 42."))
        let carried = try #require(fixture.committed.last { $0.data["type"] == "context_carried" })
        #expect(carried.data["turns"] == 1)
        #expect(carried.data["omitted"] == 0)
        #expect(carried.data["from"] == ["one"])
        #expect(carried.draft.providerId == "two")
    }

    @Test func switchingBackResumesAndTellsOnlyWhatWasMissed() throws {
        let (fixture, session) = try fixture()
        try choose("two", session, fixture)
        try converse(fixture, session, "Why?", "Because of the mice.", native: "n2")
        try choose("one", session, fixture)
        try fixture.send("And then?", to: session)
        #expect(fixture.provider.providerId == "one")
        #expect(fixture.provider.launch.resumeNativeSessionId == "n1")
        let context = try #require(fixture.provider.prompt?.context)
        #expect(context.contains("mice"))
        #expect(!context.contains("42"))
        fixture.provider.say(.turnCompleted(TurnOutcome(status: .completed)))
        fixture.turn()
        // Told once is enough.
        try fixture.send("More?", to: session)
        #expect(fixture.provider.prompt?.context == nil)
    }

    @Test func whatAFailedTurnWasToldIsToldAgain() throws {
        let (fixture, session) = try fixture()
        try choose("two", session, fixture)
        try fixture.send("Why?", to: session)
        fixture.provider.say(
            .sessionReady(SessionReady(nativeSessionId: "n2")), .turnCompleted(TurnOutcome(status: .failed)))
        fixture.turn()
        try fixture.send("Why?", to: session)
        #expect(fixture.provider.prompt?.context?.contains("42") == true)
    }

    @Test func knowledgeSurvivesARestart() throws {
        let (fixture, session) = try fixture()
        try choose("two", session, fixture)
        try converse(fixture, session, "Why?", "Because of the mice.", native: "n2")
        let id = session.id
        try fixture.restart()
        let restored = try fixture.service.session(id)
        #expect(restored.state == session.state)
        try fixture.send("And?", to: restored)
        #expect(fixture.provider.prompt?.context == nil)
        #expect(fixture.provider.launch.resumeNativeSessionId == "n2")
    }

    @Test func aProviderThatLostItsSessionIsToldEverything() throws {
        let (fixture, session) = try fixture()
        fixture.provider.end(.exited(.exited(0), errorTail: ""))
        fixture.turn()
        try fixture.send("Again?", to: session)
        let provider = fixture.provider
        #expect(provider.launch.resumeNativeSessionId == "n1" && provider.prompt?.context == nil)
        provider.say(.error(.resumeFailed(provider: "one", message: "gone")))
        let context = try #require(session.contextForNewConversation(of: provider))
        #expect(context.contains("42"))
        provider.say(
            .sessionReady(SessionReady(nativeSessionId: "n3")), .turnCompleted(TurnOutcome(status: .completed)))
        fixture.turn()
        try fixture.send("Go on", to: session)
        #expect(provider.prompt?.context == nil)
        #expect(session.state.memories["one"]?.nativeSessionId == "n3")
    }

    @Test func aMessageIsForTheProviderItNames() throws {
        let (fixture, session) = try fixture()
        try session.invite(["two"], by: fixture.client)
        try fixture.send("@two: what do you think?", to: session)
        #expect(fixture.provider.providerId == "two")
        #expect(fixture.provider.prompt?.text == "what do you think?")
        #expect(session.state.providerId == "one")
        fixture.provider.say(.turnCompleted(TurnOutcome(status: .completed)))
        fixture.turn()
        // Both keep their process.
        try fixture.send("and you?", to: session)
        #expect(fixture.providers.made.count == 2)
        #expect(fixture.provider(of: "one")?.prompt?.text == "and you?")
        #expect(session.state.runningTurn?.providerId == "one")
    }

    @Test(arguments: ["@two", "mail me @two", "@nobody hi", "@two-hi", "two hi"])
    func onlyANameAtTheBeginningAddresses(_ text: String) throws {
        #expect(MessageAddress.provider(of: text, among: ["one", "two"]) == (text == "@two" ? "two" : nil))
        #expect(MessageAddress.provider(of: "@two hi", among: ["two"]) == nil)
        #expect(MessageAddress.provider(of: " @codex, hi", among: ["one", "codexCli"]) == "codexCli")
        #expect(MessageAddress.textWithoutName(" @codex,  hi") == "hi")
    }

    @Test func whatAnIdleProviderSaysBelongsToNoTurnOfAnother() throws {
        let (fixture, session) = try fixture()
        try session.invite(["two"], by: fixture.client)
        try fixture.send("@two go", to: session)
        fixture.provider(of: "one")?.say(
            .permissionRequested(
                PermissionRequest(
                    requestId: "r1", toolName: "Bash", title: "ls",
                    options: [PermissionOption(optionId: "y", label: "Yes", kind: .allowOnce)])))
        fixture.provider(of: "two")?.say(.turnCompleted(TurnOutcome(status: .completed)))
        fixture.turn()
        // The end of the other's turn leaves it open, and the answer goes to who asked.
        #expect(session.state.pending.map(\.turnId) == [nil])
        _ = try session.answerPermission("r1", optionId: "y", message: nil, by: fixture.client)
        fixture.turn()
        #expect(fixture.provider(of: "one")?.calls.last == .permission("r1", .option("y")))
    }

    @Test func theNewestIsToldWholeAndWhatIsLeftOutIsSaid() throws {
        let (fixture, session) = try fixture()
        for index in 0..<8 {
            try converse(
                fixture, session, "question \(index)", String(repeating: "\(index)", count: 30_000))
        }
        fixture.providers.limits.contextWindow["default"] = 50_000
        try choose("two", session, fixture)
        try fixture.send("go on", to: session)
        let context = try #require(fixture.provider.prompt?.context)
        #expect(context.contains(String(repeating: "7", count: 30_000)))
        #expect(!context.contains("question 3"))
        #expect(context.utf8.count < 75_000 + 1000)
        let carried = try #require(fixture.committed.last { $0.data["type"] == "context_carried" })
        #expect(carried.data["turns"] == 2)
        #expect(carried.data["omitted"] == 7)
        #expect(context.contains("7 earlier turns are left out"))
    }

    @Test func anUnknownProviderChangesNothing() throws {
        let (fixture, session) = try fixture()
        fixture.providers.failure = Failure(code: "provider_not_found", message: "no")
        #expect(throws: Failure.self) { try choose("two", session, fixture) }
        #expect(session.state.providerId == "one")
    }
}
