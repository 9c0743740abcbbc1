import Base
import Client
import Glibc
import JSON

/// `codeai-hub service`: the daemon as a service of the person's own service manager.
enum ServiceCommand {
    @Sendable static func run(_ invocation: Invocation) async throws(CommandFailure) -> ExitCode {
        switch invocation.argument(0) ?? "status" {
        case "install": return try await ServiceInstallation(invocation).install()
        case "remove": return try await ServiceInstallation(invocation).remove()
        case "status": return try await ServiceReport.show(invocation)
        case "logs": return try ServiceLogs.show(invocation)
        case let action: throw .usage("there is no service \(action): it is install, remove, status or logs")
        }
    }

    static let noManager = CommandFailure(
        .refused, "no_service_manager",
        """
        there is no systemd of this user to talk to (systemctl --user). In a container, or after su or ssh without a login \
        session, that is so; on a machine with systemd, log in anew, or have an administrator run: loginctl \
        enable-linger \(userName). Without a service the first client starts the daemon
        """)

    static var userName: String { environmentVariable("USER").flatMap { $0.isEmpty ? nil : $0 } ?? "$USER" }
}

/// Installing and removing.
struct ServiceInstallation {
    private let invocation: Invocation
    private let output: Output
    private let home: HubHome
    private let files: ServiceFiles

    init(_ invocation: Invocation) throws(CommandFailure) {
        self.invocation = invocation
        output = Output(invocation)
        home = try Connection.home(invocation)
        var manager = ServiceFiles.ofThisSystem
        if let name = invocation.options["for"] {
            guard let named = ServiceRecord.Manager(rawValue: name) else {
                throw .usage("--for takes systemd or launchd")
            }
            guard named == manager || invocation.has("print") else {
                throw .usage("--for \(name) can only be printed here: give --print, too")
            }
            manager = named
        }
        files = try ServiceFiles(home: home, manager: manager)
    }

    // MARK: Installing

    func install() async throws(CommandFailure) -> ExitCode {
        let definition = try ServiceDefinition(
            home: home, hasSocket: files.manager == .systemd && !invocation.has("no-socket"),
            isHardened: invocation.has("hardened"), searchPath: ServiceDefinition.ownSearchPath())
        try definition.check(files.manager)
        let wanted = ServiceFiles.wanted(definition, files.manager)
        if invocation.has("print") { return show(wanted) }
        let manager = try reach()
        if !invocation.has("force"), let objection = files.objection() { throw objection }
        let isChanged =
            wanted.contains { files.state($0.path, wanted: $0.text) != .current }
            || files.paths.contains { path in
                !wanted.contains { $0.path == path } && access(path, F_OK) == 0
            }
        // The one that runs goes on as it is, unless its definition is another now.
        if isChanged || !manager.ownsRunningDaemon { try await clearTheWay(manager) }
        try files.write(wanted, definition)
        do throws(CommandFailure) {
            try manager.enable(hasSocket: definition.socket != nil)
        } catch {
            // Half a service would be in everybody's way.
            manager.disable()
            _ = files.remove()
            manager.forget()
            throw error
        }
        let lingers = try await linger()
        report(definition, wanted.map(\.path), lingers)
        return .ok
    }

    private func show(_ wanted: [(path: String, text: String)]) -> ExitCode {
        if output.isJSON {
            output.print(json: [
                "files": .array(wanted.map { ["path": JSON($0.path), "text": JSON($0.text)] })
            ])
        } else {
            for (index, file) in wanted.enumerated() {
                // A comment in both kinds of files would be too much: this is for eyes.
                output.print(StyledText("\(index == 0 ? "" : "\n")\(file.path)\n", .bold))
                output.print(StyledText(file.text))
            }
        }
        return .ok
    }

    private func report(_ definition: ServiceDefinition, _ paths: [String], _ lingers: Bool?) {
        let place = definition.socket.map { "\($0.host):\($0.port)" }
        if output.isJSON {
            return output.print(json: [
                "installed": true, "manager": JSON(files.manager.rawValue), "files": JSON(paths),
                "program": JSON(definition.program), "release": JSON(definition.followsInstallations),
                "address": place.map { JSON($0) } ?? .null, "hardened": JSON(definition.isHardened),
                "lingers": lingers.map { JSON($0) } ?? .null,
            ])
        }
        output.print("The daemon is a service now.\n")
        for path in paths { output.print(StyledText("  \(path)\n")) }
        let start = place.map { "It starts with the first connection to \($0)" } ?? "It runs, starts at login"
        output.print(StyledText(start + ", and again after a crash.\n"))
        if !definition.followsInstallations {
            output.note(
                "No release is installed: it is the program \(definition.program). After codeai-hub install, do this again."
            )
        }
        if lingers == false {
            output.note(
                "Your services end with your last login session. To have them stay: codeai-hub service install --linger"
            )
        }
    }

    // MARK: Removing

    func remove() async throws(CommandFailure) -> ExitCode {
        guard files.isInstalled || files.record != nil else {
            output.isJSON
                ? output.print(json: ["removed": false, "files": []]) : output.print("No service is installed.\n")
            return .ok
        }
        if !invocation.has("force"), let objection = files.objection() { throw objection }
        let manager = ServiceManagerCommand(home: home, files.manager)
        let canBeReached = manager?.answers ?? false
        if canBeReached, let manager {
            if manager.ownsRunningDaemon { try await refuseIfBusy() }
            manager.disable()
        }
        let removed = files.remove()
        if canBeReached { manager?.forget() }
        if output.isJSON {
            output.print(json: ["removed": true, "files": JSON(removed)])
        } else {
            output.print("The daemon is no service any more; the next client starts it.\n")
            for path in removed { output.print(StyledText("  removed \(path)\n")) }
        }
        return .ok
    }

    /// Before its program goes: nothing is to start it any more. What is another home's stays.
    static func removeBeforeUninstalling(_ home: HubHome) throws(CommandFailure) {
        let files = try ServiceFiles(home: home)
        guard files.record != nil, files.areOfThisHome else { return }
        let manager = ServiceManagerCommand(home: home, files.manager).flatMap { $0.answers ? $0 : nil }
        manager?.disable()
        _ = files.remove()
        manager?.forget()
    }

    // MARK: What stands in the way

    private func reach() throws(CommandFailure) -> ServiceManagerCommand {
        guard let manager = ServiceManagerCommand(home: home, files.manager), manager.answers else {
            throw ServiceCommand.noManager
        }
        return manager
    }

    /// The address, and the home, are one daemon's at a time.
    private func clearTheWay(_ manager: ServiceManagerCommand) async throws(CommandFailure) {
        let launcher = DaemonLauncher(home: home)
        guard try await hub({ () throws(HubError) in try await launcher.running() }) != nil else {
            return manager.disable()
        }
        try await refuseIfBusy()
        if manager.ownsRunningDaemon { return manager.disable() }
        if !output.isJSON { output.note("The daemon that runs is stopped; its sessions are kept.") }
        let connection = try await Connection.open(invocation, starts: false)
        try await connection.call("POST", "/core/shutdown", [:])
        let deadline = ContinuousClock.now + .seconds(75)
        while home.isInUse {
            guard ContinuousClock.now < deadline else {
                throw CommandFailure(.refused, "timeout", "the daemon was told to stop, but still runs")
            }
            try? await Task.sleep(for: .milliseconds(50))
        }
        manager.disable()
    }

    private func refuseIfBusy() async throws(CommandFailure) {
        guard !invocation.has("stop") else { return }
        let connection = try await Connection.open(invocation, starts: false)
        let running = try await connection.call("GET", "/health")["activeSessions"]?.intValue ?? 0
        guard running > 0 else { return }
        throw CommandFailure(
            .refused, "daemon_busy",
            "the daemon has to be stopped for that, but \(running == 1 ? "a turn runs" : "\(running) turns run"): wait, or give --stop"
        )
    }

    /// - Returns: whether the manager outlives the person's last session; nil: nobody knows.
    private func linger() async throws(CommandFailure) -> Bool? {
        guard files.manager == .systemd, let program = DaemonProcess.find("loginctl") else { return nil }
        if invocation.has("linger") {
            let (code, said) = DaemonProcess.capture(program, ["enable-linger"], home: home) ?? (127, [])
            guard code == 0 else {
                throw CommandFailure(
                    .refused, "linger_refused",
                    "the service is installed, but loginctl enable-linger ended with \(code): "
                        + String(decoding: said.prefix(300), as: UTF8.self))
            }
        }
        return ServiceReport.lingers(home)
    }
}
