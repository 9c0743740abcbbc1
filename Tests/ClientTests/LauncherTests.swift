import Foundation
import JSON
import TestSupport
import Testing

@testable import Client

@Suite(.timeLimit(.minutes(10)))
struct LauncherTests {
    private func launcher(_ script: String) throws -> (TemporaryFolder, DaemonLauncher) {
        let folder = try TemporaryFolder("launcher")
        try folder.write("core/placeholder", "")
        let program = folder.path + "/daemon.sh"
        try writeProgram(program, "#!/bin/sh\n" + script + "\n")
        var launcher = DaemonLauncher(home: HubHome(path: folder.path), executable: program)
        launcher.patience = .seconds(20)
        return (folder, launcher)
    }

    @Test("what a daemon says before it ends is the error")
    func fails() async throws {
        let (folder, launcher) = try launcher(#"echo "codeai-hub-core: bad config" >&2; echo '{"x":1}' >&2; exit 4"#)
        defer { withExtendedLifetime(folder) {} }
        await #expect { _ = try await launcher.ensureRunning() } throws: {
            let error = $0 as? HubError
            return error?.code == .launchFailed
                && error?.message.contains("code 4: codeai-hub-core: bad config") == true
        }
    }

    @Test("a daemon that never answers is given up")
    func silent() async throws {
        // Longer than this test can be kept from running by others: a daemon that ends is another failure.
        var (folder, launcher) = try launcher(#"echo $$ > "$CODEAI_HUB_HOME/pid"; exec sleep 600"#)
        defer {
            let pid = folder.read("pid").flatMap { Int32($0.trimmingCharacters(in: .whitespacesAndNewlines)) }
            if let pid { kill(pid, SIGKILL) }
        }
        // So long that the script has begun.
        launcher.patience = .seconds(1)
        await #expect { _ = try await launcher.ensureRunning() } throws: {
            ($0 as? HubError)?.message.contains("does not answer") == true
        }
    }

    @Test("where another daemon was faster, that one is used; it runs detached, with this home")
    func loser() async throws {
        let daemon = try await FakeDaemon { _ in }
        let (folder, launcher) = try launcher(
            """
            ps -o pid=,sid= -p $$ > "$CODEAI_HUB_HOME/ids"
            pwd > "$CODEAI_HUB_HOME/folder"
            printf '{"host":"127.0.0.1","port":\(daemon.port),"pid":1}' > "$CODEAI_HUB_HOME/core/endpoint.json"
            chmod 600 "$CODEAI_HUB_HOME/core/endpoint.json"
            exit 3
            """)
        let result = try await launcher.ensureRunning()
        #expect(result.endpoint.port == daemon.port)
        #expect(!result.started)
        let ids = folder.read("ids")?.split(whereSeparator: \.isWhitespace)
        #expect(ids?.count == 2 && ids?.first == ids?.last)
        #expect(folder.read("folder") == "/\n")
    }

    @Test("a running daemon is used as it is")
    func running() async throws {
        let daemon = try await FakeDaemon { _ in }
        let (folder, launcher) = try launcher("exit 1")
        try folder.write("core/endpoint.json", #"{"host":"127.0.0.1","port":\#(daemon.port)}"#)
        let result = try await launcher.ensureRunning()
        #expect(result.endpoint.port == daemon.port && !result.started)
    }

    @Test("another program at the daemon's address is an error, not a reason to start one")
    func stranger() async throws {
        let daemon = try await FakeDaemon { $0.answer = { _ in (200, ["hello": "there"]) } }
        let (folder, launcher) = try launcher("exit 1")
        try folder.write("core/endpoint.json", #"{"host":"127.0.0.1","port":\#(daemon.port)}"#)
        await #expect { _ = try await launcher.ensureRunning() } throws: { ($0 as? HubError)?.code == .invalidAnswer }
    }

    @Test("a relative CODEAI_HUB_CORE, or one that is no program, is refused", arguments: ["core", "/nowhere/core"])
    func named(path: String) {
        let launcher = DaemonLauncher(home: HubHome(path: "/x"))
        #expect { try launcher.findExecutable { ["CODEAI_HUB_CORE": path][$0] } } throws: {
            ($0 as? HubError)?.code == .launchFailed
        }
    }
}
