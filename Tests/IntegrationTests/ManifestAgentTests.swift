import Foundation
import JSON
import TestSupport
import Testing

/// Any agent that speaks ACP is a provider by a manifest alone: the example of doc/providers.md, as it stands there, with
/// an agent of a few lines.
@Suite struct ManifestAgentTests {
    private static let agent = #"""
        import json, sys

        def say(**message):
            print(json.dumps({"jsonrpc": "2.0", **message}), flush=True)

        session, prompt, asked = "tiny-1", None, {}

        def text(words):
            say(method="session/update", params={"sessionId": session, "update": {
                "sessionUpdate": "agent_message_chunk", "content": {"type": "text", "text": words}}})

        def end():
            say(id=prompt, result={"stopReason": "end_turn"})

        def ask(method, then, **params):
            asked[method] = then
            say(id=method, method=method, params={"sessionId": session, **params})

        for line in sys.stdin:
            message = json.loads(line)
            method, params = message.get("method"), message.get("params")
            if method == "initialize":
                say(id=message["id"], result={"protocolVersion": 1})
            elif method == "session/new":
                cwd = params["cwd"]
                say(id=message["id"], result={"sessionId": session})
            elif method == "session/prompt":
                prompt, words = message["id"], params["prompt"][0]["text"]
                if words == "write":
                    ask("fs/write_text_file", end, path=cwd + "/tiny.txt", content="tiny\n")
                elif words == "escape":
                    ask("fs/read_text_file", end, path=cwd + "/../hub/core/token")
                elif words == "linger":
                    ask("terminal/create", end, command="setsid sh -c 'trap \"\" TERM; echo $$ > pid; sleep 300' & sleep 300")
                else:
                    text("you said " + words)
                    end()
            elif method is None:
                if "error" in message:
                    text(message["error"]["message"])
                asked.pop(message["id"])()
        """#

    /// The first JSON block after the heading in the documentation.
    private func documentedManifest() throws -> String {
        let root = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../../doc/providers.md")
        let text = try String(contentsOf: root, encoding: .utf8)
        let section = try #require(text.range(of: "### A provider by a manifest alone"))
        let start = try #require(text.range(of: "```json\n", range: section.upperBound..<text.endIndex))
        let end = try #require(text.range(of: "```", range: start.upperBound..<text.endIndex))
        return String(text[start.upperBound..<end.lowerBound])
    }

    private func daemon() throws -> TestDaemon {
        let daemon = try TestDaemon()
        try daemon.folder.write("hub/providers/tiny/module.json", documentedManifest())
        try daemon.folder.write("hub/providers/tiny/agent.py", ManifestAgentTests.agent)
        try daemon.start()
        return daemon
    }

    @Test func talks() throws {
        let daemon = try daemon()
        let record = try daemon.call("GET", "/providers").description
        let session = try daemon.newSession("tiny")
        let said = try daemon.turn("hello", in: session)
        #expect(
            said.contains { $0["kind"] == "message" && $0["data"]?["content"] == "you said hello" },
            "\(record) \(said)")
        daemon.close()
    }

    @Test func filesAreServedWithinTheWorkspaceOnly() throws {
        let daemon = try daemon()
        try daemon.folder.write("work/a.txt", "a")
        let session = try daemon.newSession("tiny", ["workspace": JSON(daemon.folder.path + "/work")])
        let written = try daemon.turn("write", in: session)
        let diff = try #require(written.first { $0["kind"] == "diff" })
        #expect(diff["data"]?["newText"] == "tiny\n")
        #expect(daemon.folder.read("work/tiny.txt") == "tiny\n")
        let refused = try daemon.turn("escape", in: session)
        #expect(refused.contains { $0["data"]?["content"]?.stringValue?.contains("outside of the workspace") == true })
        daemon.close()
    }

    /// A command whose child left its process group and ignores SIGTERM.
    @Test func commandsOfADeletedSessionAreEnded() throws {
        let daemon = try daemon()
        try daemon.folder.write("work/a.txt", "a")
        let session = try daemon.newSession("tiny", ["workspace": JSON(daemon.folder.path + "/work")])
        let started = try daemon.turn("linger", in: session)
        #expect(started.contains { $0["kind"] == "status" && $0["data"]?["type"] == "terminal_started" })
        try eventually("the command runs", within: .seconds(20)) { daemon.folder.read("work/pid")?.isEmpty == false }
        let pid = try #require(
            daemon.folder.read("work/pid").flatMap { Int32($0.trimmingCharacters(in: .whitespacesAndNewlines)) })
        #expect(kill(pid, 0) == 0)
        _ = try daemon.call("DELETE", "/sessions/\(session)")
        try eventually("the command has ended", within: .seconds(20)) { kill(pid, 0) != 0 }
        daemon.close()
    }
}
