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

    @Test("the status says what is waited for")
    func waiting() {
        var view = SessionView(session: session)
        func update(_ more: JSONObject) -> String {
            var record: JSONObject = ["id": "s", "providerId": "echo", "status": "idle", "turn": nil, "queue": []]
            for (key, value) in more { record[key] = value }
            _ = view.take(frame("session:update", nil, record), now: 1)
            return view.area(editor: LineEditor(), columns: 200, height: 20, now: 10, hint: nil).rows.map(\.plain)
                .joined()
        }
        let until: JSON = ["until": "2001-02-03T04:05:06.000Z"]
        #expect(update(["parked": until]).contains("parked until 2001-02-03T04:05Z"))
        #expect(update(["backoff": until]).contains("the provider is started again at 2001-02-03T04:05Z"))
        let waits = update(["queue": [["turnId": "t4"], ["turnId": "t7"]], "placeInLine": 3, "paused": true])
        #expect(waits.contains("2 queued · place 3 in line · paused: /resume"))
        #expect(view.queue.map(\.turnId) == ["t4", "t7"])
        let calm = update([:])
        #expect(calm.contains("ready"))
        #expect(view.queue.isEmpty)
    }

    @Test("an error's actions name the commands that carry them out")
    func actions() {
        var view = SessionView(session: session)
        let error: JSONObject = [
            "code": "overloaded", "message": "busy",
            "actions": [
                ["id": "retry_later", "label": "Try again later"],
                ["id": "switch_provider", "label": "Switch provider"],
                ["id": "of_tomorrow", "label": "Wonder"],
            ],
        ]
        let record: JSONObject = ["seq": 1, "kind": "error", "turnId": "t1", "data": .object(error)]
        let text = view.take(frame("session:event", 1, record), now: 1).plain
        #expect(text.contains("Try again later: /later · Switch provider: /switch PROVIDER · Wonder"))
        for action in ["retry", "retry_later", "switch_provider", "continue_once"] {
            let name = SlashCommand.carryingOut(action)?.dropFirst().split(separator: " ").first
            #expect(SlashCommand.all.contains { $0.name == name ?? "" })
        }
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

    @Test("where there isn't room for all, the state stays", arguments: [12, 30, 60, 120])
    func state(columns: Int) {
        var view = SessionView(session: session)
        var record = session.objectValue ?? [:]
        for (key, value) in [
            "model": "a-model", "mode": "plan", "costUsd": 0.5, "costEstimated": true, "effort": "high",
        ] as JSONObject { record[key] = value }
        _ = view.take(frame("session:update", nil, record), now: 1)
        let area = view.area(editor: LineEditor(), columns: columns, height: 20, now: 10, hint: nil)
        let row = area.rows.last?.plain ?? ""
        #expect(row.hasPrefix("ready"))
        #expect(DisplayWidth.of(row) <= columns)
        if columns == 120 { #expect(row == "ready · echo · a-model · plan · effort high · ~$0.5000 · work") }
    }
}

struct DraftKeeperTests {
    @Test("what is written is stored when nothing follows, and only what changed")
    func storing() {
        var drafts = DraftKeeper(known: "a", isOffered: true)
        #expect(drafts.changed(to: "a") == nil)
        let first = drafts.changed(to: "ab")
        let second = drafts.changed(to: "abc")
        #expect(drafts.due(first ?? 0, line: "abc") == nil)
        #expect(drafts.due(second ?? 0, line: "abc") == "abc")
        #expect(drafts.changed(to: "abc") == nil)
        // A command is none, so that a draft ends with it.
        let third = drafts.changed(to: "/quit")
        #expect(drafts.due(third ?? 0, line: "/quit") == "")
        var none = DraftKeeper(known: nil, isOffered: false)
        #expect(none.changed(to: "x") == nil)
    }

    @Test("another client's draft takes the place of what nobody has changed here")
    func arriving() {
        var drafts = DraftKeeper(known: "a", isOffered: true)
        var taken: [Bool] = []
        for (text, line) in [("ab", "a"), ("abc", ""), ("else", "my own"), ("same", "same")] {
            taken.append(drafts.arrived(text, line: line))
        }
        #expect(taken == [true, true, false, false])
    }
}
