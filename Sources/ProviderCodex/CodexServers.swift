import EventLoop
import Providers

/// The servers that run: one for each workspace and way of starting it, shared by its sessions. Loop-confined.
///
/// Why so: doc/decisions/0008-codex-one-server-per-workspace.md
package final class CodexServers {
    private struct Key: Hashable {
        var executable: String
        var arguments: [String]
        var environment: [String: String]
        var workspace: String
    }

    private let limits: CodexServer.Limits
    private var servers: [Key: CodexServer] = [:]
    /// One starts at a time: two that make or migrate the databases in one Codex home at once fail.
    private var starting: CodexServer?
    private var waiting: [CodexServer] = []

    package init(limits: CodexServer.Limits = CodexServer.Limits()) {
        self.limits = limits
    }

    /// The server for a session with this launch in this workspace, not yet started if it is new.
    func server(_ launch: ProviderLaunch, workspace: String, on loop: EventLoop) -> CodexServer {
        let key = Key(
            executable: launch.executable, arguments: launch.arguments, environment: launch.environment,
            workspace: workspace)
        if let server = servers[key], server.takesTenants { return server }
        let server = CodexServer(launch: launch, workspace: workspace, limits: limits, loop: loop, servers: self)
        servers[key] = server
        return server
    }

    /// A server is to be started.
    func begin(_ server: CodexServer) {
        guard starting == nil else { return waiting.append(server) }
        starting = server
        server.spawn()
    }

    /// A server has got so far that the next one may start.
    func startEnded(_ server: CodexServer) {
        waiting.removeAll { $0 === server }
        guard starting === server else { return }
        starting = nil
        guard !waiting.isEmpty else { return }
        begin(waiting.removeFirst())
    }

    /// A server takes no more sessions.
    func ending(_ server: CodexServer) {
        servers = servers.filter { $0.value !== server }
    }
}
