import EventLoop
import Foundation
import JSON
import Processes
import ProviderCodex
import Providers
import TestSupport
import Testing

/// A home, a fake API and a loop with its servers, for one or more conversations with a Codex.
final class CodexStage: @unchecked Sendable {
    let api = FakeResponsesAPI()
    let home: String
    let workspace: String
    let loop: EventLoop
    let program: String
    private var environment: [String: String]
    private let servers: LoopBound<CodexServers>
    private let lock = NSLock()
    private var conversations: [Live] = []

    /// - Parameters:
    ///   - configuration: more lines for Codex's own configuration.
    ///   - program: another one than the real Codex.
    init(
        configuration: String = "", environment: [String: String] = [:], program: String? = nil,
        limits: CodexServer.Limits = CodexServer.Limits()
    ) throws {
        self.program = try #require(program ?? RealCodex.program, "\(RealCodex.missing)")
        // Not below the temporary folder: Codex doesn't like its home there.
        let base = ProcessInfo.processInfo.environment["HOME"] ?? "/var/tmp"
        home = base + "/.cache/codeai-hub-codex-test-\(UUID().uuidString)"
        workspace = home + "/work"
        try RealCodex.prepare(home: home, api: api, extra: configuration)
        self.environment = RealCodex.environment(home: home).merging(environment) { $1 }
        let loop = try EventLoop.startThread(name: "codex-test")
        self.loop = loop
        servers = LoopBound(CodexServers(limits: limits), loop: loop)
    }

    func open(
        model: String? = nil, mode: String? = nil, effort: String? = nil, resume: String? = nil, forks: Bool = false,
        workspace: String? = nil
    ) -> Live {
        let start = ProviderStart(
            sessionId: UUID().uuidString.lowercased(), workspace: workspace ?? self.workspace, model: model,
            mode: mode, effort: effort, resumeNativeSessionId: resume, forksNativeSession: forks)
        let launch = ProviderLaunch(
            providerId: "codexCli", name: "Codex", executable: program, environment: environment)
        let servers = servers
        let live = Live(on: loop) { loop in
            CodexSession(launch: launch, start: start, servers: servers.value, loop: loop)
        }
        lock.withLock { conversations.append(live) }
        return live
    }

    /// Ends everything; the processes are gone when this returns.
    func close() {
        let all = lock.withLock { conversations }
        for live in all { live.call { $0.stop() } }
        for live in all { _ = try? live.waitForEnd() }
        loop.stop()
        api.stop()
        if ProcessInfo.processInfo.environment["KEEP_TEST_HOMES"] == nil {
            try? FileManager.default.removeItem(atPath: home)
        }
    }

    func isThere(_ name: String) -> Bool { FileManager.default.fileExists(atPath: workspace + "/" + name) }

    func read(_ name: String) -> String? { try? String(contentsOfFile: workspace + "/" + name, encoding: .utf8) }
}

/// Processes with this home in their environment: of one stage, whoever their parent is.
func processes(of stage: CodexStage) -> [ProcessIdentity] {
    ProcessTable.snapshot().processes(marked: "HOME", stage.home).filter(\.isRunning)
}
