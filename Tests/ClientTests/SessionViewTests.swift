import JSON
import Testing

@testable import Client
@testable import Terminal

struct SessionViewTests {
    private let session: JSON = ["id": "s", "providerId": "echo", "title": "work", "status": "idle", "turn": nil]

    private func frame(_ type: String, _ seq: Int?, _ payload: JSONObject) -> HubFrame {
        var frame: JSONObject = ["type": JSON(type), "sessionId": "s", "payload": .object(payload)]
        if let seq { frame["seq"] = JSON(seq) }
        return HubFrame(json: .object(frame))
    }

    private let request: JSONObject = [
        "requestId": "r", "tool": "Bash", "title": "rm x",
        "options": [["optionId": "o", "label": "Yes", "kind": "allow_once"]],
    ]

    private func rows(_ view: SessionView) -> [String] {
        view.area(editor: LineEditor(), columns: 60, height: 20, now: 10, hint: nil).rows.map(\.plain)
    }

    @Test("a key typed in the moment in which a prompt appears allows nothing")
    func grace() {
        var view = SessionView(session: session)
        _ = view.take(frame("permission:requested", 1, request), now: 10)
        #expect(view.answer(.character("y"), now: 10.1).isTaken == false)
        #expect(view.answer(.character("y"), now: 10.5).answer == .permission(optionId: "o"))
        #expect(view.answer(.character("y"), now: 11).isTaken == false, "answered already")
    }

    @Test("the prompt goes when anybody has answered")
    func answeredElsewhere() {
        var view = SessionView(session: session)
        _ = view.take(frame("permission:requested", 1, request), now: 0)
        #expect(rows(view).contains("Allow Bash  rm x?"))
        let text = view.take(
            frame(
                "permission:resolved", 2,
                ["requestId": "r", "outcome": "selected", "optionKind": "allow_once", "by": ["name": "web"]]), now: 1)
        #expect(text.plain.contains("allowed once by web"))
        #expect(view.requests.isEmpty)
    }

    @Test("after a reconnect only what is pending now is asked")
    func pendingAnew() {
        var view = SessionView(session: session)
        _ = view.take(frame("permission:requested", 1, request), now: 0)
        var other = request
        other["requestId"] = "r2"
        other["type"] = "permission"
        other["sessionId"] = "s"
        var foreign = other
        foreign["sessionId"] = "t"
        foreign["requestId"] = "r3"
        let state: JSONObject = ["sessions": [session], "pending": [.object(other), .object(foreign)], "open": []]
        _ = view.take(frame("core:state", nil, state), now: 1)
        #expect(view.requests.map(\.requestId) == ["r2"])
    }

    @Test("a message is on its way until the log has it")
    func sending() {
        var view = SessionView(session: session)
        view.willSend("m1", "hello")
        view.willSend("m2", "again")
        #expect(rows(view).contains("› hello  (sending)"))
        _ = view.take(
            frame("session:message", 1, ["role": "user", "content": "hello", "clientMessageId": "m1", "turnId": "t"]),
            now: 0)
        #expect(view.sending.map(\.id) == ["m2"])
        #expect(view.sendFailed("m2") == "again")
        #expect(view.sendFailed("m1") == nil)
    }

    @Test("frames of other sessions change nothing")
    func others() {
        var view = SessionView(session: session)
        let before = rows(view)
        let frame = HubFrame(json: [
            "type": "session:message", "sessionId": "other", "seq": 3,
            "payload": ["role": "assistant", "content": "x"],
        ])
        #expect(view.take(frame, now: 0).isEmpty)
        _ = view.take(HubFrame(json: ["type": "session:update", "payload": ["id": "other", "title": "no"]]), now: 0)
        _ = view.take(HubFrame(json: ["type": "session:deleted", "payload": ["id": "other"]]), now: 0)
        #expect(rows(view) == before)
        #expect(!view.isDeleted)
    }

    @Test("the state is one row, whatever the width", arguments: [10, 20, 40, 200])
    func width(columns: Int) {
        var view = SessionView(session: session)
        _ = view.take(frame("permission:requested", 1, request), now: 0)
        let area = view.area(editor: LineEditor(), columns: columns, height: 10, now: 10, hint: nil)
        #expect(area.rows.allSatisfy { DisplayWidth.of($0.plain) <= columns })
    }
}
