import Client
import JSON

/// Commands about the daemon itself.
enum AdministrationCommands {
    @Sendable static func start(_ invocation: Invocation) async throws(CommandFailure) -> ExitCode {
        let home = try Connection.home(invocation)
        let result = try await hub { () throws(HubError) in try await Connection.ensureRunning(home) }
        let output = Output(invocation)
        let endpoint = result.endpoint
        if invocation.isJSON {
            output.print(json: [
                "started": JSON(result.started), "host": JSON(endpoint.host), "port": JSON(Int(endpoint.port)),
                "pid": endpoint.pid.map { JSON(Int($0)) } ?? .null,
                "version": endpoint.version.map { JSON($0) } ?? .null,
            ])
        } else {
            let state = result.started ? "started" : "runs already"
            output.print(StyledText("The daemon \(state): \(place(endpoint))\n"))
        }
        return .ok
    }

    static func place(_ endpoint: HubEndpoint) -> String {
        "\(endpoint.host):\(endpoint.port)" + (endpoint.pid.map { ", pid \($0)" } ?? "")
            + (endpoint.version.map { ", version \($0)" } ?? "")
    }

    @Sendable static func stop(_ invocation: Invocation) async throws(CommandFailure) -> ExitCode {
        let isStopped = try await end(invocation)
        let output = Output(invocation)
        let comesBack = (try? ServiceRecord.read(Connection.home(invocation)))?.socket != nil
        if output.isJSON {
            output.print(json: ["stopped": JSON(isStopped), "comesBack": JSON(comesBack)])
        } else {
            output.print(isStopped ? "The daemon has stopped; its sessions are kept.\n" : "No daemon runs.\n")
            if isStopped, comesBack {
                output.print(
                    "It is a service: the next client that connects starts it again, until codeai-hub service remove.\n"
                )
            }
        }
        return .ok
    }

    /// Ends the daemon, and waits until it has let go of the home: then the next one can start at once.
    /// - Returns: false when none ran.
    static func end(_ invocation: Invocation) async throws(CommandFailure) -> Bool {
        let launcher = DaemonLauncher(home: try Connection.home(invocation))
        let grace = try grace(invocation)
        let clock = ContinuousClock()
        // One that has the home and doesn't answer is on its way: it starts, or ends at somebody else's word.
        let patience = clock.now + .seconds(15)
        var wasInUse = false
        while try await hub({ () throws(HubError) in try await launcher.running() }) == nil {
            guard launcher.home.isInUse else { return wasInUse }
            wasInUse = true
            guard clock.now < patience else {
                throw CommandFailure(.refused, "timeout", "a daemon runs on \(launcher.home.path), but doesn't answer")
            }
            try? await Task.sleep(for: .milliseconds(50))
        }
        let connection = try await Connection.open(invocation, starts: false)
        try await connection.call("POST", "/core/shutdown", .object(grace.body))
        let deadline = clock.now + grace.limit + .seconds(15)
        while clock.now < deadline {
            if !launcher.home.isInUse { return true }
            try? await Task.sleep(for: .milliseconds(50))
        }
        throw CommandFailure(.refused, "timeout", "the daemon was told to stop, but still runs")
    }

    /// What `--grace` says: the request's body, and how long turns may take at most.
    static func grace(_ invocation: Invocation) throws(CommandFailure) -> (body: JSONObject, limit: Duration) {
        // More than a daemon's own, which the command doesn't know.
        guard let text = invocation.options["grace"] else { return ([:], .seconds(60)) }
        guard let value = Int(text), (0...600_000).contains(value) else {
            throw .usage("--grace takes milliseconds, at most ten minutes")
        }
        return (["graceMs": JSON(value)], .milliseconds(value))
    }

    @Sendable static func status(_ invocation: Invocation) async throws(CommandFailure) -> ExitCode {
        let connection = try await Connection.open(invocation, starts: false)
        let status = try await connection.call("GET", "/status")
        let output = Output(invocation)
        guard !invocation.isJSON else {
            output.print(json: status)
            return .ok
        }
        let core = status["core"]
        var text = StyledText("Daemon ", .bold)
        text.append("\(RequestText.plain(core?["version"]))")
        if let host = core?["host"], let port = core?["port"]?.intValue {
            text.append(" at \(RequestText.plain(host)):\(port)")
        }
        if let pid = core?["pid"]?.intValue { text.append(", pid \(pid)") }
        if let uptime = core?["uptime"]?.doubleValue { text.append(", up \(Clock.duration(seconds: uptime))") }
        if let clients = core?["clients"]?.intValue { text.append(", \(clients) clients") }
        output.print(text + "\n")
        for component in core?["update"]?["components"]?.arrayValue ?? [] {
            let name = RequestText.plain(component["component"])
            let command = name == "core" ? "codeai-hub update" : "codeai-hub providers update"
            output.print(
                StyledText("! \(name) \(RequestText.plain(component["to"])) can be installed: \(command)\n", .yellow))
        }
        let sessions = status["sessions"]?.arrayValue ?? []
        let busy = sessions.filter { $0["status"]?.stringValue != "idle" }
        output.print(
            StyledText("Sessions ", .bold) + StyledText("\(sessions.count), \(busy.count) not idle\n"))
        if !busy.isEmpty { SessionCommands.printTable(busy, output) }
        output.print(StyledText("Providers\n", .bold))
        ProviderCommands.printTable(status["providers"]?.arrayValue ?? [], output)
        ProviderCommands.printProblems(status["providerProblems"], output)
        for problem in status["configuration"]?["problems"]?.arrayValue ?? [] {
            let place = RequestText.plain(problem["source"]) + (problem["line"]?.intValue.map { ":\($0)" } ?? "")
            let key = problem["key"]?.stringValue.map { " \($0)" } ?? ""
            output.print(
                StyledText("! not in force: \(place):\(key) \(RequestText.plain(problem["reason"]))\n", .red))
        }
        let waiting = status["configuration"]?["needsRestart"]?.arrayValue?.compactMap(\.stringValue) ?? []
        if !waiting.isEmpty {
            output.print(StyledText("! needs a restart: \(waiting.joined(separator: ", "))\n", .yellow))
        }
        let recoveries = status["recoveries"]?.arrayValue?.count ?? status["recoveries"]?.intValue ?? 0
        if recoveries > 0 {
            output.print(StyledText("! \(recoveries) logs were repaired at the start: --json has them\n", .yellow))
        }
        return .ok
    }
}
