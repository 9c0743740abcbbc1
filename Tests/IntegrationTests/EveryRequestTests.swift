import JSON
import TestSupport
import Testing

/// Every frame that clients may send, and every change of a session by HTTP, once, as the protocol describes it. About 8 s.
@Suite(.timeLimit(.minutes(10))) struct EveryRequestTests {
    private let daemon: TestDaemon
    private let client: RawWebSocket

    init() throws {
        daemon = try TestDaemon.running()
        client = try daemon.client("every")
    }

    /// The result of a request that must be carried out.
    @discardableResult
    private func ask(_ type: String, _ payload: JSONObject) throws -> JSON {
        let answer = try client.request(type, .object(payload))
        guard answer["ok"] == true else { throw TestFailure("\(type) was refused: \(answer)") }
        return answer["result"] ?? .null
    }

    private func create() throws -> JSON {
        let record = try ask(
            "session:create",
            ["providerId": "echo", "workspace": JSON(daemon.folder.path), "title": "t", "tags": ["a"], "settings": [:]])
        return try #require(record["id"])
    }

    @Test func aSessionsLifeOverTheSocket() throws {
        let session = try create()
        let id = try #require(session.stringValue)
        try ask("session:rename", ["sessionId": session, "title": "another"])
        try ask(
            "session:message", ["sessionId": session, "content": "[[think:hm]][[diff:/tmp/a|x|y]][[plan:+a|b]] hello"])
        _ = try client.collectTurn(of: id)

        try ask("session:pause", ["sessionId": session])
        let first = try ask("session:message", ["sessionId": session, "content": "one", "clientMessageId": "1"])
        let second = try ask("session:message", ["sessionId": session, "content": "two", "mode": "queue"])
        let order: [JSON] = [second["turnId"] ?? .null, first["turnId"] ?? .null]
        try ask("session:queue", ["sessionId": session, "order": .array(order)])
        try ask("session:withdraw", ["sessionId": session, "turnId": order[1]])
        let again = try ask("session:message", ["sessionId": session, "content": "one", "clientMessageId": "1"])
        #expect(again["duplicate"] == true)
        try ask("session:resume", ["sessionId": session])
        _ = try client.collectTurn(of: id)

        try ask("session:message", ["sessionId": session, "content": "[[permission:once,reject touch x]]"])
        let permission = try client.frame(type: "permission:requested")["payload"]?["requestId"]
        try ask(
            "permission:respond", ["sessionId": session, "requestId": try #require(permission), "optionId": "once"])
        _ = try client.collectTurn(of: id)
        try ask("session:message", ["sessionId": session, "content": "[[question:Which?|red|blue]]"])
        let asked = try #require(try client.frame(type: "question:requested")["payload"])
        let question = try #require(asked["questions"]?[0]?["id"]?.stringValue)
        try ask(
            "question:respond",
            [
                "sessionId": session, "requestId": asked["requestId"] ?? .null,
                "answers": .object(JSONObject(members: [(question, "red")])),
            ])
        _ = try client.collectTurn(of: id)

        #expect(try ask("session:interrupt", ["sessionId": session])["interrupting"] == false)
        #expect(try ask("session:history", ["sessionId": session, "limit": 5])["events"]?.arrayValue?.count == 5)
        try ask("session:fork", ["sessionId": session, "title": "copy"])
        try ask("session:provider", ["sessionId": session, "providerId": "echo", "model": "large"])
        try ask("session:message", ["sessionId": session, "content": "[[error:quota]]"])
        _ = try client.collectTurn(of: id)
        try ask("session:retry", ["sessionId": session, "later": true])
        try ask("session:retry", ["sessionId": session])
        _ = try client.collectTurn(of: id)
        try ask("session:stop", ["sessionId": session])
        try ask("session:delete", ["sessionId": session])
    }

    @Test func aSessionsLifeOverHTTP() throws {
        let session = try daemon.newSession()
        let path = "/sessions/\(session)"
        try daemon.call(
            "PATCH", path,
            [
                "title": "t", "tags": ["a", "b"], "model": "large", "mode": "auto", "effort": "high",
                "providerIds": ["echo"], "budgetUsd": 5,
            ])
        try daemon.call("POST", path + "/pause")
        try daemon.say("one", in: session)
        let two = try #require(try daemon.say("two", in: session)["turnId"])
        try daemon.call("PATCH", path + "/queue", ["order": [two]])
        let withdrawn = try daemon.http("DELETE", "/api/v1\(path)/messages/\(two.stringValue ?? "")")
        #expect(withdrawn.status == 204)
        try daemon.call("POST", path + "/resume")
        try daemon.settle(session)
        try daemon.turn("[[error:overloaded]]", in: session)
        try daemon.call("POST", path + "/retry", ["after": 3600])
        #expect(try daemon.status(session) == "parked")
        try daemon.call("POST", path + "/stop")
        try daemon.call("POST", path + "/provider", ["providerId": "echo", "mode": "plan"])
        try daemon.call("POST", path + "/fork", ["atSeq": 1])
        try daemon.call("POST", path + "/interrupt")
        try daemon.call("POST", "/providers/echo/check")
        // As it was written, before it goes.
        let types = Set(try daemon.events(session).compactMap { $0["data"]?["type"]?.stringValue })
        #expect(
            types.isSuperset(of: [
                "model", "mode", "effort", "paused", "queue_ordered", "withdrawn", "parked", "unparked",
            ]))
        #expect(try daemon.http("DELETE", "/api/v1" + path).status == 204)
    }

    @Test func whatBelongsToNoSession() throws {
        for isEnabled in [false, true] {
            try ask("provider:update", ["providerId": "echo", "enabled": JSON(isEnabled)])
        }
        try ask("settings:update", ["settings": ["log": ["level": "info"]]])
        try daemon.call("POST", "/core/shutdown", ["graceMs": 100])
        _ = try client.frame(type: "core:shutdown")
        #expect(try daemon.waitForExit().code == 0)
    }
}
