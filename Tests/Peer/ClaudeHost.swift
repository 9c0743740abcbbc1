import EventLoop
import Glibc
import HubProtocol
import Processes
import ProviderClaude
import Providers

/// One conversation with Claude Code in a process that adopts orphans, as the daemon does. Claude gets this process's
/// environment; every permission is given. Prints `pid N`, `turn STATUS` and `ended`; reads `stop` and `interrupt`.
///
/// Arguments: PROGRAM WORKSPACE PROMPT
enum ClaudeHost {
    static func run(arguments: [String]) throws {
        guard arguments.count == 3 else { exit(2) }
        let loop = try EventLoop()
        let reaper = try Subreaper.enable(on: loop)
        defer { reaper.close() }
        var environment: [String: String] = [:]
        for name in ["HOME", "PATH", "TMPDIR"] + claudeVariables {
            if let value = unsafe getenv(name) { environment[name] = unsafe String(cString: value) }
        }
        let session = ClaudeSession(
            launch: ProviderLaunch(
                providerId: "claudeCodeCli", name: "Claude Code", executable: arguments[0], environment: environment),
            start: ProviderStart(sessionId: "", workspace: arguments[1]), loop: loop)
        let listener = Listener()
        session.delegate = listener
        let commands = PipeReader(fd: STDIN_FILENO, loop: loop)
        commands.onBytes = { bytes in
            // One command a write.
            switch String(decoding: bytes, as: UTF8.self) {
            case "stop\n": session.stop()
            case "interrupt\n": session.interrupt()
            default: break
            }
        }
        var isOpen = true
        commands.onEnd = { _ in isOpen = false }
        session.start()
        say("pid \(session.processId ?? 0)")
        session.send(Prompt(arguments[2]), turnId: "t1")
        while isOpen { loop.turn(waitingAtMost: .milliseconds(50)) }
        session.stop()
        let end = monotonicNanoseconds() + 10_000_000_000
        while !listener.hasEnded, monotonicNanoseconds() < end { loop.turn(waitingAtMost: .milliseconds(50)) }
        reaper.killAdopted()
    }

    private static let claudeVariables = [
        "LANG", "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC", "DISABLE_AUTOUPDATER", "DISABLE_TELEMETRY",
        "CLAUDE_CODE_MAX_RETRIES", "ANTHROPIC_BASE_URL", "ANTHROPIC_API_KEY",
    ]

    fileprivate static func say(_ line: String) {
        print(line)
        fflush(nil)
    }

    private final class Listener: ProviderSessionDelegate {
        private(set) var hasEnded = false

        func providerSession(_ session: any ProviderSession, emitted events: [NormalizedEvent]) {
            for event in events {
                switch event {
                case .permissionRequested(let request):
                    session.answerPermission(request.requestId, .option("allow_once"), message: nil)
                case .turnCompleted(let outcome): say("turn \(outcome.status.rawValue)")
                default: break
                }
            }
        }

        func providerSession(_ session: any ProviderSession, ended reason: ProviderEnd) {
            hasEnded = true
            say("ended")
        }
    }
}
