import Client
import JSON

/// `codeai-hub restart`.
enum RestartCommand {
    @Sendable static func run(_ invocation: Invocation) async throws(CommandFailure) -> ExitCode {
        let home = try Connection.home(invocation)
        let grace = try AdministrationCommands.grace(invocation)
        let output = Output(invocation)
        let launcher = DaemonLauncher(home: home)
        guard try await hub({ () throws(HubError) in try await launcher.running() }) != nil else {
            return try await start(launcher, output)
        }
        let clock = ContinuousClock()
        let begin = clock.now
        let connection = try await Connection.open(invocation, starts: false)
        let before = try await connection.call("GET", "/health")
        let answer = try await connection.call("POST", "/core/restart", .object(grace.body))
        let versions = (RequestText.plain(before["version"]), RequestText.plain(answer["version"]))
        if !output.isJSON {
            output.note(
                "Restarting: version \(versions.0), then \(versions.1)\(running(before["activeSessions"]?.intValue))")
        }
        let after = try await wait(for: connection, until: clock.now + grace.limit + .seconds(30)) {
            $0["instanceId"] != answer["instanceId"]
        }
        let seconds = Double((clock.now - begin) / .milliseconds(1)).rounded() / 1000
        let endpoint = try await hub { () throws(HubError) in try HubEndpoint.discover(home: home) }
        if output.isJSON {
            output.print(json: [
                "restarted": true, "from": version(before), "to": version(after), "host": JSON(endpoint.host),
                "port": JSON(Int(endpoint.port)), "pid": endpoint.pid.map { JSON(Int($0)) } ?? .null,
                "seconds": JSON(seconds),
            ])
        } else {
            output.print(
                StyledText(
                    "The daemon was restarted in \(seconds) s, version \(versions.0) before: "
                        + "\(AdministrationCommands.place(endpoint))\n"))
        }
        return .ok
    }

    private static func start(_ launcher: DaemonLauncher, _ output: Output) async throws(CommandFailure) -> ExitCode {
        let endpoint = try await hub { () throws(HubError) in try await launcher.ensureRunning() }.endpoint
        if output.isJSON {
            output.print(json: [
                "restarted": false, "to": ["version": endpoint.version.map { JSON($0) } ?? .null],
                "host": JSON(endpoint.host), "port": JSON(Int(endpoint.port)),
                "pid": endpoint.pid.map { JSON(Int($0)) } ?? .null,
            ])
        } else {
            output.print(StyledText("No daemon ran; one was started: \(AdministrationCommands.place(endpoint))\n"))
        }
        return .ok
    }

    private static func running(_ count: Int?) -> String {
        guard let count, count > 0 else { return "" }
        return "; \(count == 1 ? "a turn is" : "\(count) turns are") being waited for"
    }

    private static func version(_ health: JSON) -> JSON {
        ["version": health["version"] ?? .null, "instanceId": health["instanceId"] ?? .null]
    }

    /// The first answer to `/health` that is the right one.
    private static func wait(
        for connection: Connection, until deadline: ContinuousClock.Instant, _ isRight: (JSON) -> Bool
    ) async throws(CommandFailure) -> JSON {
        while ContinuousClock.now < deadline {
            // A daemon that didn't come back answers nothing: that is what the command has to tell then.
            if let health = try? await connection.client.call("GET", "/health", timeout: .seconds(5)), isRight(health) {
                return health
            }
            try? await Task.sleep(for: .milliseconds(20))
        }
        throw CommandFailure(.refused, "timeout", "the daemon was told to restart, but no new one answers")
    }
}
