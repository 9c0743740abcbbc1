import Foundation
import JSON
import TestSupport
import Testing

/// A session, seen and steered by two clients at once.
@Suite(.timeLimit(.minutes(10))) struct MainJobTests {
    let daemon: TestDaemon

    init() throws { daemon = try TestDaemon.running() }

    @Test func bothClientsSeeTheSameAndItIsTheLog() throws {
        let first = try daemon.client("first")
        let second = try daemon.client("second")
        let created = try first.request(
            "session:create", ["providerId": "echo", "workspace": JSON(daemon.folder.path)])
        let session = try #require(created["result"]?["id"]?.stringValue)
        let announced = try second.frame(type: "session:created")
        #expect(announced["payload"]?["id"]?.stringValue == session)

        try first.send([
            "type": "session:message", "sessionId": JSON(session), "payload": ["content": "[[stream:20x10@100]]"],
        ])
        let seenByFirst = try first.collectTurn(of: session)
        let seenBySecond = try second.collectTurn(of: session)
        let durable = seenByFirst.filter { $0.seq != nil }
        #expect(durable == seenBySecond.filter { $0.seq != nil && durable.contains($0) })
        #expect(seenBySecond.filter { $0.seq != nil }.areNumbered(from: 1) || durable.count > 3)

        // The growing text is the text that is logged in the end, but for what came together with that, and comes before it.
        for frames in [seenByFirst, seenBySecond] {
            let chunks = frames.filter { $0.type == "stream:chunk" && $0["payload"]?["kind"] == "message" }
            #expect(chunks.count > 1)
            let message = try #require(
                frames.last { $0.type == "session:message" && $0["payload"]?["role"] == "assistant" })
            let grown = chunks.compactMap { $0["payload"]?["content"]?.stringValue }.joined()
            #expect(message["payload"]?["content"]?.stringValue?.hasPrefix(grown) == true)
            #expect(message["payload"]?["content"]?.stringValue?.utf8.count == 200)
            var offset = 0
            for chunk in chunks {
                #expect(chunk["payload"]?["offset"]?.intValue == offset)
                #expect(chunk["payload"]?["itemId"] == message["payload"]?["itemId"])
                #expect(chunk.seq == nil)
                offset += chunk["payload"]?["content"]?.stringValue?.utf8.count ?? 0
            }
        }

        // What HTTP tells and what the file holds are the same records.
        let records = try daemon.events(session)
        #expect(records.areNumbered(from: 1))
        #expect(try daemon.sessionLog(session).dropFirst().map { $0 } == records)
        for frame in durable where frame.type == "session:event" {
            #expect(records.contains { $0 == frame["payload"] })
        }
        #expect(records.of("turn_completed").last?["data"]?["status"] == "completed")
    }

    @Test func aPermissionIsAnsweredByTheSecondClient() throws {
        let first = try daemon.client("first")
        let second = try daemon.client("second")
        let session = try daemon.newSession()
        try daemon.say("[[permission:once,always,reject touch x]]", in: session)
        let asked = try first.frame(type: "permission:requested")["payload"]
        let alsoAsked = try second.frame(type: "permission:requested")["payload"]
        #expect(asked == alsoAsked)
        let request = try #require(asked?["requestId"]?.stringValue)
        #expect(try daemon.status(session) == "waiting")

        // A third client that connects now is told of it at once.
        let third = try daemon.webSocket()
        let pending = try third.frame(type: "core:state")["payload"]?["pending"]
        #expect(pending?[0]?["requestId"]?.stringValue == request)

        let options = asked?["options"]?.arrayValue ?? []
        let kinds = options.compactMap { $0["kind"]?.stringValue }
        #expect(Set(kinds) == ["allow_once", "allow_always", "reject_once"])
        let allow = try #require(options.first { $0["kind"] == "allow_once" }?["optionId"]?.stringValue)
        let reject = try #require(options.first { $0["kind"] == "reject_once" }?["optionId"]?.stringValue)

        // What was not offered is not taken, and leaves the request open.
        let invented = try second.request(
            "permission:respond", ["sessionId": JSON(session), "requestId": JSON(request), "optionId": "invented"])
        #expect(invented["ok"] == false)
        #expect(try daemon.status(session) == "waiting")

        let answer = try second.request(
            "permission:respond", ["sessionId": JSON(session), "requestId": JSON(request), "optionId": JSON(allow)])
        #expect(answer["ok"] == true)
        let resolved = try first.frame(type: "permission:resolved")["payload"]
        #expect(resolved?["optionId"]?.stringValue == allow)
        #expect(resolved?["optionKind"] == "allow_once")
        #expect(resolved?["by"]?["name"] == "second")
        #expect(resolved?["by"]?["transport"] == "websocket")

        // Too late, on either way.
        let late = try first.request(
            "permission:respond", ["sessionId": JSON(session), "requestId": JSON(request), "optionId": JSON(reject)])
        #expect(late["ok"] == false)
        #expect(late["error"]?["code"] == "already_resolved")
        let lateByHTTP = try daemon.http(
            "POST", "/api/v1/sessions/\(session)/permissions/\(request)", ["optionId": JSON(reject)])
        #expect(lateByHTTP.status == 409)
        #expect(lateByHTTP.errorCode == "already_resolved")

        try daemon.settle(session)
        let records = try daemon.events(session)
        #expect(records.of("permission_resolved").count == 1)
        #expect(records.first("tool_result")?["data"]?["status"] == "completed")
        #expect(records.first("turn_completed")?["data"]?["status"] == "completed")
    }

    @Test func whenAllAnswerAtOnceOneWins() throws {
        let session = try daemon.newSession()
        try daemon.say("[[permission:once,reject touch x]]", in: session)
        let clients = try (0..<8).map { try daemon.client("client \($0)") }
        let pending = try daemon.webSocket().frame(type: "core:state")["payload"]?["pending"]
        var request = pending?[0]?["requestId"]?.stringValue
        var option = pending?[0]?["options"]?[0]?["optionId"]?.stringValue
        if request == nil {
            let asked = try clients[0].frame(type: "permission:requested")["payload"]
            request = asked?["requestId"]?.stringValue
            option = asked?["options"]?[0]?["optionId"]?.stringValue
        }
        let frame: JSON = [
            "type": "permission:respond", "requestId": "mine",
            "payload": [
                "sessionId": JSON(session), "requestId": JSON(try #require(request)),
                "optionId": JSON(try #require(option)),
            ],
        ]
        for client in clients { try client.send(frame) }
        let answers = try clients.map { client in
            try client.frame { $0.type == "ack" && $0["requestId"] == "mine" }["payload"] ?? .null
        }
        #expect(answers.filter { $0["ok"] == true }.count == 1)
        #expect(answers.filter { $0["error"]?["code"] == "already_resolved" }.count == 7)
        try daemon.settle(session)
        #expect(try daemon.events(session).of("permission_resolved").count == 1)
    }

    @Test(arguments: ["reject", "cancelled"]) func aPermissionIsRefused(how: String) throws {
        let client = try daemon.client("client")
        let session = try daemon.newSession()
        try daemon.say("[[permission:once,reject touch x]]", in: session)
        let asked = try client.frame(type: "permission:requested")["payload"]
        let request = try #require(asked?["requestId"]?.stringValue)
        let reject = asked?["options"]?.arrayValue?.first { $0["kind"] == "reject_once" }?["optionId"]
        let body: JSON = how == "reject" ? ["optionId": reject ?? .null] : ["outcome": "cancelled"]
        try daemon.call("POST", "/sessions/\(session)/permissions/\(request)", body)
        try daemon.settle(session)
        let records = try daemon.events(session)
        let resolved = records.first("permission_resolved")?["data"]
        #expect(resolved?["outcome"]?.stringValue == (how == "reject" ? "selected" : "cancelled"))
        #expect(records.first("tool_result")?["data"]?["status"] != "completed")
    }

    @Test func aQuestionIsAnswered() throws {
        let first = try daemon.client("first")
        let second = try daemon.client("second")
        let session = try daemon.newSession()
        try daemon.say("[[question:Which colour?|red|blue]]", in: session)
        let asked = try second.frame(type: "question:requested")["payload"]
        let request = try #require(asked?["requestId"]?.stringValue)
        let question = try #require(asked?["questions"]?[0])
        #expect(question["text"] == "Which colour?")
        #expect(question["options"]?.arrayValue?.compactMap { $0["label"]?.stringValue } == ["red", "blue"])
        #expect(try daemon.status(session) == "waiting")
        let id = try #require(question["id"]?.stringValue)
        let answer = try second.request(
            "question:respond",
            [
                "sessionId": JSON(session), "requestId": JSON(request),
                "answers": .object(JSONObject(members: [(id, "blue")])),
            ])
        #expect(answer["ok"] == true)
        let resolved = try first.frame(type: "question:resolved")["payload"]
        #expect(resolved?["outcome"] == "answered")
        #expect(resolved?["by"]?["name"] == "second")
        try daemon.settle(session)
        #expect(agentText(try daemon.events(session)).contains("blue"))
        let late = try daemon.http(
            "POST", "/api/v1/sessions/\(session)/questions/\(request)", ["outcome": "declined"])
        #expect(late.status == 409)
        #expect(late.errorCode == "already_resolved")
    }

    @Test func aQuestionIsDeclined() throws {
        let client = try daemon.client("client")
        let session = try daemon.newSession()
        try daemon.say("[[question:Which colour?|red|blue]]", in: session)
        let request = try #require(
            try client.frame(type: "question:requested")["payload"]?["requestId"]?.stringValue)
        try daemon.call("POST", "/sessions/\(session)/questions/\(request)", ["outcome": "declined"])
        try daemon.settle(session)
        #expect(try daemon.events(session).first("question_resolved")?["data"]?["outcome"] == "declined")
    }

    @Test func theSameMessageTwiceIsOneMessage() throws {
        let session = try daemon.newSession()
        let client = try daemon.client("client")
        let first = try daemon.say("[[text:once]]", in: session, id: "m-1")
        let again = try daemon.say("[[text:once]]", in: session, id: "m-1")
        #expect(again["duplicate"] == true)
        #expect(again["turnId"] == first["turnId"])
        #expect(again["seq"] == first["seq"])
        try daemon.settle(session)
        // Also when its turn is long over, and on the other way in.
        let third = try client.request(
            "session:message",
            ["sessionId": JSON(session), "content": "[[text:once]]", "clientMessageId": "m-1"])
        #expect(third["result"]?["duplicate"] == true)
        #expect(third["result"]?["seq"] == first["seq"])
        let messages = try daemon.events(session).of("message").filter { $0["source"] == "user" }
        #expect(messages.count == 1)
        #expect(messages.first?["data"]?["clientMessageId"] == "m-1")
        // And after a restart.
        try daemon.restart()
        let fourth = try daemon.say("[[text:once]]", in: session, id: "m-1")
        #expect(fourth["duplicate"] == true)
        #expect(fourth["seq"] == first["seq"])
        #expect(try daemon.events(session).of("message").filter { $0["source"] == "user" }.count == 1)
    }

    @Test func messagesQueueInOrder() throws {
        let session = try daemon.newSession()
        let running = try daemon.say("[[stall:1]][[text:first]]", in: session)
        #expect(running["queued"] == false)
        let second = try daemon.say("[[text:second]]", in: session)
        #expect(second["queued"] == true)
        let third = try daemon.say("[[text:third]]", in: session)
        #expect(third["queued"] == true)
        let unwanted = try daemon.say("[[text:unwanted]]", in: session)
        let queue = try daemon.record(session)["queue"]?.arrayValue ?? []
        #expect(
            queue.compactMap { $0["content"]?.stringValue } == [
                "[[text:second]]", "[[text:third]]", "[[text:unwanted]]",
            ])

        let refused = try daemon.http(
            "POST", "/api/v1/sessions/\(session)/messages", ["content": "no", "mode": "reject"])
        #expect(refused.status == 409)
        #expect(refused.errorCode == "busy")

        let client = try daemon.client("client")
        let withdraw: JSON = ["sessionId": JSON(session), "turnId": unwanted["turnId"] ?? .null]
        #expect(try client.request("session:withdraw", withdraw)["ok"] == true)
        let twice = try client.request("session:withdraw", withdraw)
        #expect(twice["error"]?["code"] == "turn_not_queued")
        let started = try client.request(
            "session:withdraw", ["sessionId": JSON(session), "turnId": running["turnId"] ?? .null])
        #expect(["already_started", "turn_not_queued"].contains(started["error"]?["code"]?.stringValue))

        try daemon.settle(session)
        let records = try daemon.events(session)
        let texts = records.of("message").filter { $0["source"] == "agent" }.compactMap {
            $0["data"]?["content"]?.stringValue
        }
        #expect(texts == ["first", "second", "third"])
        // One turn at a time: started, completed, started, completed.
        let borders = records.filter { ["turn_started", "turn_completed"].contains($0["kind"]?.stringValue) }
        let kinds = borders.compactMap { $0["kind"]?.stringValue }
        #expect(kinds == Array(repeating: ["turn_started", "turn_completed"], count: 3).flatMap { $0 })
    }

    @Test func renamedTaggedAndDeletedForAll() throws {
        let client = try daemon.client("client")
        let session = try daemon.newSession()
        try daemon.call("PATCH", "/sessions/\(session)", ["title": "A name", "tags": ["one", "two"]])
        let update = try client.frame {
            $0.type == "session:update" && $0["payload"]?["title"] == "A name"
                && $0["payload"]?["tags"] == ["one", "two"]
        }
        #expect(update["payload"]?["id"]?.stringValue == session)
        #expect(try client.request("session:rename", ["sessionId": JSON(session), "title": "Another"])["ok"] == true)
        #expect(try daemon.record(session)["title"] == "Another")
        try daemon.restart()
        #expect(try daemon.record(session)["title"] == "Another")
        #expect(try daemon.record(session)["tags"] == ["one", "two"])

        let watcher = try daemon.client("watcher")
        let gone = try daemon.http("DELETE", "/api/v1/sessions/\(session)")
        #expect(gone.status == 204)
        #expect(try watcher.frame(type: "session:deleted")["payload"]?["id"]?.stringValue == session)
        #expect(try daemon.http("GET", "/api/v1/sessions/\(session)").errorCode == "session_not_found")
        let late = try daemon.http("POST", "/api/v1/sessions/\(session)/messages", ["content": "hi"])
        #expect(late.errorCode == "session_not_found")
        #expect(daemon.folder.read("hub/sessions/\(session).jsonl") == nil)
        try daemon.restart()
        #expect(try daemon.call("GET", "/sessions")["sessions"]?.arrayValue?.isEmpty == true)
    }

    @Test func deletingARunningSessionEndsItsProcess() throws {
        let session = try daemon.newSession()
        try daemon.say("[[stream:10000x10@50]]", in: session)
        try eventually("the agent runs") { !daemon.children.isEmpty }
        let children = daemon.children
        #expect(try daemon.http("DELETE", "/api/v1/sessions/\(session)").status == 204)
        try eventually("the agent is gone", within: .seconds(15)) { !children.contains { ProcessTable.isRunning($0) } }
    }

    @Test func theListPagesAndFilters() throws {
        let sessions = try (0..<5).map { try daemon.newSession("echo", ["title": JSON("Session \($0)")]) }
        var listed: [String] = []
        var path = "/sessions?limit=2"
        while true {
            let page = try daemon.call("GET", path)
            let ids = page["sessions"]?.arrayValue?.compactMap { $0["id"]?.stringValue } ?? []
            #expect(ids.count <= 2)
            listed += ids
            guard let next = page["next"]?.stringValue else { break }
            path = "/sessions?limit=2&after=\(next)"
        }
        #expect(Set(listed) == Set(sessions))
        #expect(listed.count == 5)
        let found = try daemon.call("GET", "/sessions?q=Session%203")["sessions"]?.arrayValue
        #expect(found?.compactMap { $0["id"]?.stringValue } == [sessions[3]])
        #expect(try daemon.call("GET", "/sessions?status=running")["sessions"]?.arrayValue?.isEmpty == true)
        #expect(try daemon.call("GET", "/sessions?status=idle")["sessions"]?.arrayValue?.count == 5)
    }
}
