import Foundation
import JSON
import TestSupport
import Testing

/// What an agent is made to do in a contract test.
enum Deed {
    case say(String)
    case think(String)
    /// Stream for many seconds.
    case stream
    /// Run a tool that nobody has to be asked about.
    case look
    /// Run a tool that fails.
    case fail
    /// Ask for leave to make a file.
    case touch(String)
    /// Run a command that is asked about first.
    case run(String)
    /// Run a tool that asks first and then lasts for minutes.
    case last
    case ask
    /// Say nothing at all.
    case hang
    case authenticationError
    case quotaError
}

/// An agent under the contract: a real program, and how it is brought to do each deed.
protocol Agent: AnyObject {
    var providerId: String { get }
    /// The daemon it runs in, not started yet.
    func makeDaemon() throws -> TestDaemon
    /// Nil: it can't be brought to do that.
    func prompt(_ deed: Deed) -> String?
    /// Whether its tools touch real files.
    var isReal: Bool { get }
    /// What the model was last asked, where there is one.
    var lastModelRequest: String? { get }
    /// Of new sessions: one in which tools ask.
    var mode: String? { get }
    /// One in which nobody is asked.
    var openMode: String? { get }
}

enum AgentKind: String, CaseIterable, CustomTestStringConvertible {
    case claude, codex, echo, library

    var testDescription: String { rawValue }

    func make() throws -> any Agent {
        switch self {
        case .claude: try ClaudeAgent()
        case .codex: try CodexAgent()
        case .echo: EchoAgent()
        case .library: try LibraryAgent()
        }
    }
}

/// A program in the place of the agent's own: prints lines that no protocol knows, then is the agent.
func garbling(_ program: String, in daemon: TestDaemon) throws -> String {
    let path = daemon.folder.path + "/garbling-agent"
    let script = """
        #!/bin/sh
        case "$*" in *--version*) exec '\(program)' "$@" ;; esac
        echo 'Warning: this is no message'
        printf '\\377\\376\\200\\n'
        echo '{"type":"never_heard_of","jsonrpc":"2.0","method":"never/heard/of","params":{"a":[1,{"b":null}]}}'
        echo '[1,2,3]'
        exec '\(program)' "$@"
        """
    try writeProgram(path, script)
    return path
}

/// The real Claude Code with a fake Messages API.
final class ClaudeAgent: Agent {
    let providerId = "claudeCodeCli"
    let isReal = true
    let mode: String? = nil
    let openMode: String? = nil
    let api = FakeMessagesAPI()
    let program: String

    init() throws {
        guard let program = RealClaude.program else { throw TestFailure(RealClaude.missing) }
        self.program = program
    }

    deinit { api.stop() }

    var lastModelRequest: String? { api.scripted.last.map { "\($0.body)" } }

    func makeDaemon() throws -> TestDaemon {
        let daemon = try TestDaemon(configuration: [
            "providers": ["claudeCodeCli": ["command": JSON(program)]]
        ])
        var environment = RealClaude.environment(home: daemon.folder.path, api: api)
        environment["PATH"] = daemon.environment["PATH"]
        daemon.environment.merge(environment) { $1 }
        for name in ["/tmp", "/work"] {
            try FileManager.default.createDirectory(
                atPath: daemon.folder.path + name, withIntermediateDirectories: true)
        }
        return daemon
    }

    private func bash(_ command: String) -> String {
        "[[tool:Bash {\"command\":\"\(command)\",\"description\":\"t\"}]]"
    }

    func prompt(_ deed: Deed) -> String? {
        switch deed {
        case .say(let text): "[[text:\(text)]]"
        case .think(let text): "[[think:\(text)]] [[text:thought]]"
        case .stream: "[[slow:0.05x1000]]"
        case .look: bash("echo looked") + "[[text:done]]"
        case .fail: bash("ls not-there") + "[[text:done]]"
        case .touch(let path): bash("touch \(path)") + "[[text:done]]"
        case .run(let command): bash(command) + "[[text:done]]"
        case .last: bash("python3 -c 'import time; time.sleep(300)'") + "[[text:done]]"
        case .ask:
            "[[tool:AskUserQuestion {\"questions\":[{\"question\":\"Which?\",\"header\":\"W\",\"multiSelect\":false,"
                + "\"options\":[{\"label\":\"red\",\"description\":\"r\"},{\"label\":\"blue\",\"description\":\"b\"}]}"
                + "]}]] [[text:done]]"
        case .hang: "[[hang]]"
        case .authenticationError: "[[status:401]]"
        case .quotaError: "[[quota:five_hour resets=\(Int(Date().timeIntervalSince1970) + 1800)]]"
        }
    }
}

/// The real Codex with a fake Responses API.
final class CodexAgent: Agent {
    let providerId = "codexCli"
    let isReal = true
    let mode: String? = "untrusted"
    let openMode: String? = "full-access"
    let api = FakeResponsesAPI()
    let program: String

    init() throws {
        guard let program = RealCodex.program else { throw TestFailure(RealCodex.missing) }
        self.program = program
    }

    deinit { api.stop() }

    var lastModelRequest: String? { api.scripted.last.map { "\($0.body)" } }

    func makeDaemon() throws -> TestDaemon {
        let daemon = try TestDaemon(configuration: [
            "providers": ["codexCli": ["command": JSON(program), "environment": ["FAKE_OPENAI_KEY": "sk-fake"]]]
        ])
        var environment = RealCodex.environment(home: daemon.folder.path)
        environment["PATH"] = daemon.environment["PATH"]
        daemon.environment.merge(environment) { $1 }
        try RealCodex.prepare(home: daemon.folder.path, api: api)
        return daemon
    }

    func prompt(_ deed: Deed) -> String? {
        switch deed {
        case .say(let text): "[[text:\(text)]]"
        case .think(let text): "[[think:\(text)]] [[text:thought]]"
        case .stream: "[[slow:0.05x1000]]"
        case .look: "[[command:echo looked]] [[text:done]]"
        case .fail: "[[command:ls not-there]] [[text:done]]"
        case .touch(let path): "[[command:touch \(path)]] [[text:done]]"
        case .run(let command): "[[command:\(command)]] [[text:done]]"
        case .last: "[[command:python3 -c 'import time; time.sleep(300)']] [[text:done]]"
        case .ask: nil
        case .hang: "[[hang]]"
        case .authenticationError: "[[status:401]]"
        case .quotaError: "[[limit:You have used it up]]"
        }
    }
}

/// The built-in agent, for the Agent Client Protocol.
final class EchoAgent: Agent {
    let providerId = "echo"
    let isReal = false
    let lastModelRequest: String? = nil
    let mode: String? = nil
    let openMode: String? = nil

    func makeDaemon() throws -> TestDaemon { try TestDaemon() }

    func prompt(_ deed: Deed) -> String? {
        switch deed {
        case .say(let text): "[[text:\(text)]]"
        case .think(let text): "[[think:\(text)]][[text:thought]]"
        case .stream: "[[stream:10000x10@50]]"
        case .look: "[[tool:Bash {\"command\":\"echo looked\"}]][[text:done]]"
        case .fail: "[[tool-fail:Bash no such file]][[text:done]]"
        case .touch(let path): "[[permission:once,always,reject touch \(path)]][[text:done]]"
        case .run: nil
        case .last: "[[permission:once,reject a long one]][[child:300]][[tool-output:10000x10@50]]"
        case .ask: "[[question:Which?|red|blue]][[text:done]]"
        case .hang: "[[stall:300]]"
        case .authenticationError: "[[error:auth no key]]"
        case .quotaError: "[[error:quota used up]]"
        }
    }
}
