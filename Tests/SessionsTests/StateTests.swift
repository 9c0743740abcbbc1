import Base
import EventLog
import HubProtocol
import JSON
import Providers
import Testing

@testable import Sessions

@Suite struct StateTests {
    @Test func theCheckpointIsTheState() throws {
        let fixture = try SessionFixture()
        let session = try fixture.makeSession()
        try session.setTags(["a", "b"], by: fixture.client)
        try fixture.send("one", to: session, id: "m1")
        try fixture.send("two", to: session)
        fixture.provider.say(
            .sessionReady(SessionReady(nativeSessionId: "n1", model: "large", mode: "plan")),
            .toolCall(ToolCall(itemId: "i", nativeId: "x", name: "B", title: "b")),
            .permissionRequested(PermissionRequest(requestId: "p", toolName: "B", title: "b", options: [])),
            .usage(Usage(contextUsed: 10, contextWindow: 100)))
        fixture.turn()
        let header = session.log.header
        let copy = SessionState(checkpoint: try JSON.parse(session.state.checkpoint.serialize()), header: header)
        #expect(copy == session.state)
        #expect(session.state.model == "large" && session.state.contextUsed == 10)
    }

    @Test(arguments: [
        ("", nil), ("  hi\nmore", "hi"), (String(repeating: "x", count: 100), String(repeating: "x", count: 80)),
    ])
    func theFirstMessageMakesTheTitle(content: String, title: String?) {
        #expect(SessionState.title(from: content) == title)
    }

    @Test func aGivenTitleStays() throws {
        let fixture = try SessionFixture()
        let session = try fixture.makeSession()
        try session.rename("Mine", by: fixture.client)
        try fixture.send("one", to: session)
        fixture.provider.say(.status(type: "title", data: ["title": "theirs"]))
        fixture.turn()
        #expect(session.state.title == "Mine")
        #expect(throws: Failure.self) { try session.rename("", by: fixture.client) }
        #expect(throws: Failure.self) { try session.rename("a\u{1b}[31m", by: fixture.client) }
        #expect(throws: Failure.self) { try session.setModel("--dangerous", by: fixture.client) }
    }
}
