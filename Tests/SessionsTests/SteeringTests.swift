import EventLog
import HubProtocol
import JSON
import Processes
import Providers
import Testing

@testable import Sessions

@Suite struct SteeringTests {
    private func running(steers: Bool = true) throws -> (SessionFixture, Session) {
        let fixture = try SessionFixture()
        let session = try fixture.makeSession()
        try fixture.send("go", to: session)
        fixture.provider.capabilities.steer = steers
        return (fixture, session)
    }

    private func steer(_ text: String, _ session: Session, _ fixture: SessionFixture) throws -> AcceptedMessage {
        let accepted = try session.accept(
            IncomingMessage(text, clientMessageId: text, mode: .steer), by: fixture.client)
        fixture.turn()
        return accepted
    }

    @Test func aMessageJoinsTheRunningTurn() throws {
        let (fixture, session) = try running()
        let accepted = try steer("left", session, fixture)
        #expect(accepted.turnId == "t1" && !accepted.isQueued)
        #expect(fixture.provider.calls.last == .steer("left"))
        #expect(session.state.queue.isEmpty)
        #expect(fixture.committed.last?.data["steer"] == true)
        #expect(try steer("left", session, fixture).isDuplicate)
    }

    @Test func whereTheProviderCannotItWaits() throws {
        let (fixture, session) = try running(steers: false)
        let accepted = try steer("left", session, fixture)
        #expect(accepted.turnId == "t2" && accepted.isQueued && accepted.position == 1)
    }

    @Test func whatTheProviderRefusesBecomesATurn() throws {
        let (fixture, session) = try running()
        fixture.provider.takesSteering = false
        let accepted = try steer("left", session, fixture)
        #expect(accepted.turnId == "t1")
        #expect(session.state.queue.map(\.turnId) == ["t2"])
        let id = session.id
        fixture.provider.say(.turnCompleted(TurnOutcome(status: .completed)))
        fixture.turn()
        #expect(fixture.provider.calls.last == .send("left", turnId: "t2"))
        let state = session.state
        #expect(SessionState(checkpoint: state.checkpoint, header: session.log.header) == state)
        #expect(fixture.service.state(of: id)?.turnCount == 2)
    }

    @Test func idleItIsAMessageLikeAnyOther() throws {
        let fixture = try SessionFixture()
        let session = try fixture.makeSession()
        #expect(try steer("go", session, fixture).turnId == "t1")
        #expect(fixture.provider.calls.last == .send("go", turnId: "t1"))
    }

    @Test func aPausedSessionTakesMessagesAndBeginsNone() throws {
        let (fixture, session) = try running()
        try session.pause(by: fixture.client)
        fixture.provider.say(.turnCompleted(TurnOutcome(status: .completed)))
        fixture.turn()
        #expect(try fixture.send("wait", to: session).isQueued)
        #expect(session.state.runningTurn == nil && session.state.isPaused)
        let id = session.id
        try fixture.restart()
        let restored = try fixture.service.session(id)
        #expect(restored.state.isPaused)
        restored.resume(by: fixture.client)
        fixture.turn()
        #expect(fixture.provider.calls.last == .send("wait", turnId: "t2"))
    }

    @Test func attachmentsReachTheProvider() throws {
        let fixture = try SessionFixture()
        let session = try fixture.makeSession()
        let attachments: [JSON] = [
            ["name": "a.png", "mediaType": "image/png", "data": "aGk="], ["mediaType": "text/plain", "text": "hello"],
            ["uri": "file:///tmp/x"],
        ]
        _ = try session.accept(IncomingMessage("look", attachments: attachments), by: fixture.client)
        fixture.turn()
        #expect(
            fixture.provider.prompt?.attachments == [
                Attachment(name: "a.png", mediaType: "image/png", content: .data(base64: "aGk=")),
                Attachment(mediaType: "text/plain", content: .text("hello")),
                Attachment(mediaType: "application/octet-stream", content: .link(uri: "file:///tmp/x")),
            ])
        #expect(fixture.committed.contains { $0.data["attachments"] == .array(attachments) })
    }

    @Test(arguments: [
        ["mediaType": "image/png", "data": "a"] as JSON, ["mediaType": "image/png", "data": "aGk=", "text": "both"],
        ["data": "aGk="], ["mediaType": "png", "data": "aGk="], ["mediaType": "image/png", "data": "aG k="], "text",
        ["name": 5, "mediaType": "a/b", "text": "x"], [:],
    ])
    func aBadAttachmentChangesNothing(_ attachment: JSON) throws {
        let fixture = try SessionFixture()
        let session = try fixture.makeSession()
        #expect(throws: Failure.self) {
            try session.accept(IncomingMessage("look", attachments: [attachment]), by: fixture.client)
        }
        #expect(session.state.turnCount == 0)
    }

    @Test func nothingIsSentToOneThatIsEnding() throws {
        let (fixture, session) = try running()
        let ending = fixture.provider
        ending.isEnding = true
        ending.say(.turnCompleted(TurnOutcome(status: .interrupted)))
        #expect(try fixture.send("more", to: session).isQueued)
        #expect(fixture.providers.made.count == 1)
        ending.end(.exited(.signaled(15), errorTail: ""))
        fixture.turn()
        #expect(fixture.providers.made.count == 2)
        #expect(fixture.provider.calls.last == .send("more", turnId: "t2"))
    }
}
