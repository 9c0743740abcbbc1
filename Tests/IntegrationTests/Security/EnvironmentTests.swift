import Foundation
import JSON
import TestSupport
import Testing

/// What an agent gets of the daemon's surroundings: what is on the list, and nothing else.
@Suite(.timeLimit(.minutes(10))) struct EnvironmentTests {
    private static let agent = #"""
        import json, os, sys

        def say(**message):
            print(json.dumps({"jsonrpc": "2.0", **message}), flush=True)

        for line in sys.stdin:
            message = json.loads(line)
            method = message.get("method")
            if method == "initialize":
                say(id=message["id"], result={"protocolVersion": 1})
            elif method == "session/new":
                say(id=message["id"], result={"sessionId": "e"})
            elif method == "session/prompt":
                descriptors = {}
                for name in os.listdir("/proc/self/fd"):
                    try:
                        descriptors[name] = os.readlink("/proc/self/fd/" + name)
                    except OSError:
                        pass
                known = json.dumps({"environment": dict(os.environ), "descriptors": descriptors,
                    "ignored": open("/proc/self/status").read()})
                say(method="session/update", params={"sessionId": "e", "update": {
                    "sessionUpdate": "agent_message_chunk", "content": {"type": "text", "text": known}}})
                say(id=message["id"], result={"stopReason": "end_turn"})
        """#

    @Test func secretsOfOthersStayHere() throws {
        let secrets = [
            "ANTHROPIC_API_KEY", "CLAUDE_CODE_OAUTH_TOKEN", "OPENAI_API_KEY", "CODEX_API_KEY", "GEMINI_API_KEY",
            "GOOGLE_API_KEY", "GOOGLE_APPLICATION_CREDENTIALS", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN",
            "GITHUB_TOKEN",
            "GH_TOKEN", "NPM_TOKEN", "DATABASE_URL", "LD_PRELOAD_SECRET", "KUBECONFIG", "VAULT_TOKEN", "MINE_API_KEYS",
            "PYTHONSTARTUP", "NODE_OPTIONS",
        ]
        var planted = Dictionary(uniqueKeysWithValues: secrets.map { ($0, "planted-\($0)") })
        planted["MINE_KEY"] = "planted-for-me"
        let daemon = try TestDaemon(environment: planted)
        for (id, passes) in [("mine", ["MINE_KEY"]), ("yours", [])] {
            try daemon.folder.write("hub/providers/\(id)/agent.py", Self.agent)
            let manifest: JSON = [
                "name": "E", "adapter": "acp", "command": ["python3"], "arguments": ["${provider}/agent.py"],
                "passEnvironment": JSON(passes),
            ]
            try daemon.folder.write("hub/providers/\(id)/module.json", manifest.description)
        }
        try daemon.start()
        func known(_ provider: String) throws -> JSON {
            let events = try daemon.turn("tell", in: try daemon.newSession(provider))
            return try JSON.parse(agentText(events))
        }
        let mine = try known("mine")
        let yours = try known("yours")
        let environment = try #require(yours["environment"]?.objectValue)
        for (name, value) in environment {
            #expect(value.stringValue?.contains("planted") == false, Comment(rawValue: name))
        }
        #expect(mine["environment"]?["MINE_KEY"] == "planted-for-me")
        #expect(mine["environment"]?.objectValue?.count == environment.count + 1)
        print("environment test: an agent gets \(environment.map(\.key).sorted().joined(separator: " "))")
        // Three pipes; none of the daemon's sockets, logs or its lock.
        let descriptors = yours["descriptors"]?.objectValue?.compactMap { $0.value.stringValue } ?? []
        for name in descriptors {
            let isItsOwn = name.hasPrefix("pipe:") || name.hasPrefix("/proc/") || name == "/dev/null"
            #expect(isItsOwn, Comment(rawValue: name))
        }
        // Nothing of it is in what the daemon wrote or tells.
        for name in ["core.log", "audit.log"] {
            #expect(daemon.folder.read("hub/logs/\(name)")?.contains("planted-") == false)
        }
        for path in ["/status", "/metrics", "/api/v1/providers", "/api/v1/settings"] {
            #expect(try !daemon.http("GET", path).text.contains("planted-"), Comment(rawValue: path))
        }
    }
}
