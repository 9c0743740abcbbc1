import Foundation
import JSON
import TestSupport
import Testing

/// The whole way: the real Codex, run by the real daemon, against a fake Responses API on loopback.
@Suite(.serialized, .timeLimit(.minutes(5))) struct CodexTests {
    let api: FakeResponsesAPI
    let daemon: TestDaemon

    init() throws {
        let program = try #require(RealCodex.program, Comment(rawValue: RealCodex.missing))
        api = FakeResponsesAPI()
        daemon = try TestDaemon()
        try RealCodex.prepare(home: daemon.folder.path, api: api)
        var environment = RealCodex.environment(home: daemon.folder.path)
        let folder = (program as NSString).deletingLastPathComponent
        environment["PATH"] = folder + ":" + (daemon.environment["PATH"] ?? "")
        daemon.environment.merge(environment) { $1 }
        try daemon.start()
    }

    private func newSession(_ more: JSONObject = [:]) throws -> String {
        let workspace: JSONObject = ["workspace": JSON(daemon.folder.path + "/work")]
        return try daemon.newSession("codex", more.merging(workspace))
    }

    private func servers() throws -> [JSON] {
        try daemon.call("GET", "/status")["core"]?["children"]?.arrayValue ?? []
    }

    private func isRunning(_ command: String) -> Bool {
        daemon.children.contains { child in
            let words = (try? Data(contentsOf: URL(fileURLWithPath: "/proc/\(child.pid)/cmdline"))) ?? Data()
            return String(decoding: words, as: UTF8.self).replacingOccurrences(of: "\0", with: " ").hasPrefix(command)
        }
    }

    @Test func sessionsOfAWorkspaceShareAProcessThatIsListedOnce() throws {
        let first = try newSession(["mode": "auto"])
        let second = try newSession()
        #expect(agentText(try daemon.turn("[[text:for one]]", in: first, within: .seconds(60))) == "for one")
        #expect(agentText(try daemon.turn("[[text:for two]]", in: second, within: .seconds(60))) == "for two")
        let running = try servers()
        #expect(running.count == 1)
        #expect(running[0]["providerId"] == "codexCli")
        #expect(Set((running[0]["sessionIds"]?.arrayValue ?? []).compactMap(\.stringValue)) == [first, second])
        #expect((running[0]["rss"]?.intValue ?? 0) > 10 << 20)

        // Its crash is on both; both go on with their own threads.
        let pid = try #require(running[0]["pid"]?.intValue)
        kill(Int32(pid), SIGKILL)
        for session in [first, second] {
            try eventually("\(session) hears of it") {
                try daemon.events(session).contains { $0["data"]?["type"] == "process_exited" }
            }
        }
        #expect(agentText(try daemon.turn("[[text:resumed]]", in: first, within: .seconds(60))) == "resumed")
        let threads = try daemon.events(first).filter { $0["data"]?["type"] == "native_session" }
            .compactMap { $0["data"]?["nativeSessionId"] }
        #expect(threads.count == 2 && threads[0] == threads[1])
        #expect(api.scripted.last?.body["input"]?.description.contains("for one") == true)
    }

    @Test(
        "However it ends, no command outlives it",
        arguments: ["interrupt", "stop", "delete", "daemon TERM", "daemon KILL"])
    func nothingIsLeft(_ how: String) throws {
        let session = try newSession(["mode": "full-access"])
        // So that the server has a reason to go on.
        let other = try newSession()
        try daemon.turn("[[text:here]]", in: other, within: .seconds(60))
        try daemon.say("[[command:exec sleep 299]] [[text:never]]", in: session)
        try eventually("the command runs", within: .seconds(60)) { isRunning("sleep 299") }
        switch how {
        case "interrupt": _ = try daemon.call("POST", "/sessions/\(session)/interrupt")
        case "stop": _ = try daemon.call("POST", "/sessions/\(session)/stop")
        case "delete": _ = try daemon.http("DELETE", "/api/v1/sessions/\(session)")
        case "daemon TERM": #expect(try daemon.stop().code == 0)
        default:
            try daemon.kill()
            try daemon.start()
        }
        if how.hasPrefix("daemon") {
            try eventually("nothing is left", within: .seconds(5)) { daemon.survivors.isEmpty }
        } else {
            try eventually("no command is left", within: .seconds(5)) { !isRunning("sleep 299") }
            let records = try daemon.turn("[[text:still here]]", in: other, within: .seconds(60))
            #expect(agentText(records) == "still here")
            let restarts = records.count { $0["data"]?["type"] == "process_started" }
            #expect(restarts == 0)
        }
    }
}
