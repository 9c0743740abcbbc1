import EventLog
import HubProtocol
import JSON
import Providers
import Testing

@testable import Sessions

@Suite struct RequestTests {
    private let permission = PermissionRequest(
        requestId: "p1", itemId: "i1", toolName: "Bash", title: "touch x", arguments: ["command": "touch x"],
        options: [
            PermissionOption(optionId: "y", label: "Yes", kind: .allowOnce),
            PermissionOption(optionId: "n", label: "No", kind: .rejectOnce),
        ])

    private func waiting(_ event: NormalizedEvent) throws -> (SessionFixture, Session) {
        let fixture = try SessionFixture()
        let session = try fixture.makeSession()
        try fixture.send("go", to: session)
        fixture.provider.say(event)
        fixture.turn()
        #expect(session.state.status == .waiting)
        return (fixture, session)
    }

    @Test func theFirstAnswerWins() throws {
        let (fixture, session) = try waiting(.permissionRequested(permission))
        let result = try session.answerPermission("p1", optionId: "y", message: nil, by: fixture.other)
        #expect(result["outcome"] == "selected")
        #expect {
            try session.answerPermission("p1", optionId: "n", message: nil, by: fixture.client)
        } throws: {
            ($0 as? Failure)?.code == "already_resolved"
        }
        fixture.turn()
        #expect(fixture.provider.calls.last == .permission("p1", .option("y")))
        let resolved = fixture.committed.last { $0.kind == .permissionResolved }
        #expect(resolved?.data["by"]?["name"] == "other" && resolved?.data["optionKind"] == "allow_once")
        #expect(session.state.status == .running)
    }

    @Test func anOptionThatWasNotOfferedIsRefused() throws {
        let (fixture, session) = try waiting(.permissionRequested(permission))
        #expect(throws: Failure.self) {
            try session.answerPermission("p1", optionId: "always", message: nil, by: fixture.client)
        }
        #expect(throws: Failure.self) { try session.answerQuestion("p1", answers: [:], by: fixture.client) }
        #expect {
            try session.answerPermission("p9", optionId: "y", message: nil, by: fixture.client)
        } throws: {
            ($0 as? Failure)?.code == "request_not_found"
        }
        #expect(session.state.status == .waiting)
    }

    @Test func aWithdrawnRequestIsCancelledForAll() throws {
        let (fixture, session) = try waiting(.permissionRequested(permission))
        fixture.provider.say(.requestWithdrawn(requestId: "p1"))
        fixture.turn()
        #expect(fixture.committed.last?.data["outcome"] == "cancelled")
        #expect {
            try session.answerPermission("p1", optionId: "y", message: nil, by: fixture.client)
        } throws: {
            ($0 as? Failure)?.code == "already_resolved"
        }
    }

    @Test func questionsAreCheckedAgainstWhatWasAsked() throws {
        let request = QuestionRequest(
            requestId: "q1",
            questions: [
                Question(id: "color", text: "Which?", options: [QuestionOption(label: "Red")]),
                Question(id: "sizes", text: "Which sizes?", allowsMultiple: true),
            ])
        let (fixture, session) = try waiting(.questionRequested(request))
        for bad: JSONObject in [
            ["color": "Red"], ["color": 1, "sizes": []], ["color": "Red", "sizes": [1]],
            ["color": "Red", "sizes": ["S"], "other": "x"], ["color": ["Red"], "sizes": ["S"]],
        ] {
            #expect(throws: Failure.self) { try session.answerQuestion("q1", answers: bad, by: fixture.client) }
        }
        let answers: JSONObject = ["color": "Red", "sizes": ["S", "M"]]
        _ = try session.answerQuestion("q1", answers: answers, by: fixture.client)
        fixture.turn()
        #expect(fixture.provider.calls.last == .question("q1", answers))
        #expect(fixture.committed.last { $0.kind == .questionResolved }?.data["answers"] == .object(answers))
    }

    @Test func aChangeDroppedByADeletionIsSaidToBe() throws {
        let fixture = try SessionFixture()
        let session = try fixture.makeSession()
        try session.rename("new", by: fixture.client)
        var outcome: [String] = []
        session.log.afterCommit {
            outcome.append("kept")
        } orElse: {
            outcome.append("dropped")
        }
        try fixture.service.delete(session.id, by: fixture.client)
        session.log.afterCommit {
            outcome.append("kept")
        } orElse: {
            outcome.append("dropped too")
        }
        fixture.turn()
        #expect(outcome == ["dropped", "dropped too"])
    }

    @Test func whereNothingElseIsAllowedOnlyWhatWasOfferedCounts() throws {
        let request = QuestionRequest(
            requestId: "q1",
            questions: [
                Question(
                    id: "color", text: "Which?",
                    options: [QuestionOption(label: "Red"), QuestionOption(label: "Blue")],
                    allowsOther: false)
            ])
        let (fixture, session) = try waiting(.questionRequested(request))
        #expect(throws: Failure.self) {
            try session.answerQuestion("q1", answers: ["color": "Green"], by: fixture.client)
        }
        _ = try session.answerQuestion("q1", answers: ["color": "Blue"], by: fixture.client)
    }

    @Test func aDeletedSessionIsGoneAndItsProviderEnded() throws {
        let (fixture, session) = try waiting(.permissionRequested(permission))
        let provider = fixture.provider
        try fixture.service.delete(session.id, by: fixture.client)
        fixture.turn()
        #expect(provider.calls.last == .stop)
        #expect(fixture.deleted == [session.id] && fixture.service.count == 0)
        #expect(throws: Failure.self) { try fixture.service.session(session.id) }
        provider.say(.message(Message(itemId: "late", text: "late")))
        fixture.turn()
        try fixture.restart()
        #expect(fixture.service.count == 0)
    }
}
