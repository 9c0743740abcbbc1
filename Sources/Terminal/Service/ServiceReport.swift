import Base
import Client
import Configuration
import Glibc
import JSON

/// How the service is: its files, what the manager says of it, the daemon itself.
struct ServiceReport {
    var manager: ServiceRecord.Manager
    var isInstalled: Bool
    var hasSocket: Bool
    /// Where the manager listens.
    var address: String?
    /// Where the configuration wants the daemon.
    var configuredAddress: String?
    var program: String?
    var files: [(path: String, state: ServiceFiles.State)] = []
    /// Whether there is a manager to ask.
    var canBeReached = false
    /// Of systemd: `active`, `inactive`, `failed`, ...
    var active: String?
    var socketActive: String?
    var isEnabled: Bool?
    var pid: Int?
    /// How the last run ended, where it ended badly: `exit-code`, `signal`, `watchdog`, ...
    var result: String?
    var restarts: Int?
    var version: String?
    var lingers: Bool?

    /// Whether there is something to do.
    var problem: String? {
        guard isInstalled else { return nil }
        if files.contains(where: { $0.state == .missing }) { return "a unit file is missing" }
        if active == "failed" { return "the service has failed (\(result ?? "?"))" }
        if socketActive == "failed" { return "the socket has failed: the service was started too often in a row" }
        if canBeReached, hasSocket, socketActive == "inactive" { return "the socket is not listened on" }
        return nil
    }

    static func look(_ home: HubHome) async throws(CommandFailure) -> ServiceReport {
        let files = try ServiceFiles(home: home)
        let record = files.record
        var report = ServiceReport(
            manager: files.manager, isInstalled: files.isInstalled, hasSocket: record?.socket != nil)
        report.address = record?.socket.map { "\($0.host):\($0.port)" }
        // As it would be installed now with the same choices; a configuration that can't be used says so elsewhere.
        let definition = try? ServiceDefinition(
            home: home, hasSocket: record?.socket != nil, isHardened: record?.isHardened ?? false,
            searchPath: record?.searchPath ?? ServiceDefinition.ownSearchPath())
        report.configuredAddress = definition?.socket.map { "\($0.host):\($0.port)" }
        report.program = definition?.program
        let wanted = definition.map { ServiceFiles.wanted($0, files.manager) } ?? []
        for path in files.paths {
            let text = wanted.first { $0.path == path }?.text
            let state = files.state(path, wanted: text)
            if state != .missing || (report.isInstalled && text != nil) { report.files.append((path, state)) }
        }
        report.askManager(home)
        if let endpoint = try? await DaemonLauncher(home: home).running() { report.version = endpoint.version }
        return report
    }

    private mutating func askManager(_ home: HubHome) {
        guard manager == .systemd, let systemd = UserManager(home: home) else { return }
        let service = systemd.show(
            UserManager.service, ["ActiveState", "MainPID", "Result", "NRestarts", "UnitFileState"])
        canBeReached = service["ActiveState"] != nil
        guard canBeReached, isInstalled else { return }
        active = service["ActiveState"]
        pid = service["MainPID"].flatMap { Int($0) }.flatMap { $0 > 0 ? $0 : nil }
        restarts = service["NRestarts"].flatMap { Int($0) }
        result = service["Result"]
        var enabled = service["UnitFileState"]
        if hasSocket {
            let socket = systemd.show(UserManager.socket, ["ActiveState", "UnitFileState"])
            socketActive = socket["ActiveState"]
            enabled = socket["UnitFileState"]
        }
        isEnabled = enabled.map { $0 == "enabled" }
        lingers = ServiceReport.lingers(home)
    }

    /// Whether the manager outlives the last login session; nil: nobody knows.
    static func lingers(_ home: HubHome) -> Bool? {
        guard let entry = getpwuid(getuid()), let name = entry.pointee.pw_name,
            access("/run/systemd/system", F_OK) == 0
        else { return nil }
        return access("/var/lib/systemd/linger/" + String(cString: name), F_OK) == 0
    }

    // MARK: Showing it

    @Sendable static func show(_ invocation: Invocation) async throws(CommandFailure) -> ExitCode {
        let report = try await look(try Connection.home(invocation))
        let output = Output(invocation)
        output.isJSON ? output.print(json: report.json) : output.print(report.text)
        return report.isInstalled && report.problem == nil ? .ok : .refused
    }

    var json: JSON {
        var object: JSONObject = [
            "installed": JSON(isInstalled), "manager": JSON(manager.rawValue), "reachable": JSON(canBeReached),
        ]
        object["active"] = active.map { JSON($0) } ?? .null
        object["socket"] = socketActive.map { JSON($0) } ?? .null
        object["address"] = address.map { JSON($0) } ?? .null
        object["configuredAddress"] = configuredAddress.map { JSON($0) } ?? .null
        object["enabled"] = isEnabled.map { JSON($0) } ?? .null
        object["pid"] = pid.map { JSON($0) } ?? .null
        object["version"] = version.map { JSON($0) } ?? .null
        object["program"] = program.map { JSON($0) } ?? .null
        object["result"] = result.map { JSON($0) } ?? .null
        object["restarts"] = restarts.map { JSON($0) } ?? .null
        object["lingers"] = lingers.map { JSON($0) } ?? .null
        object["files"] = .array(files.map { ["path": JSON($0.path), "state": JSON($0.state.rawValue)] })
        object["problem"] = problem.map { JSON($0) } ?? .null
        return .object(object)
    }

    var text: StyledText {
        guard isInstalled else {
            return StyledText(
                "No service is installed: the first client starts the daemon. codeai-hub service install\n")
        }
        var text = StyledText("Service ", .bold)
        if !canBeReached { text.append("installed, but there is no systemd of this user to ask") }
        if let active {
            text.append("\(active)\(pid.map { ", pid \($0)" } ?? "")\(version.map { ", version \($0)" } ?? "")")
        }
        if let restarts, restarts > 0 { text.append(", restarted \(restarts) times") }
        text.append("\n")
        func line(_ name: String, _ value: String?) {
            guard let value else { return }
            text.append("  \(DisplayWidth.pad(name, to: 10))", .dim)
            text.append(value + "\n")
        }
        line("socket", address.map { "\($0), \(socketActive ?? "unknown")" })
        line("enabled", isEnabled.map { $0 ? "yes" : "no" })
        line("program", program)
        for file in files { line("file", "\(file.path)\(ServiceReport.words(file.state))") }
        if lingers == false { line("sessions", "ends with your last login: codeai-hub service install --linger") }
        if let problem { text.append("! \(problem): codeai-hub service install; codeai-hub service logs\n", .red) }
        if let address, let configuredAddress, address != configuredAddress {
            text.append("! the configuration wants \(configuredAddress): codeai-hub service install\n", .yellow)
        }
        return text
    }

    private static func words(_ state: ServiceFiles.State) -> String {
        switch state {
        case .current: ""
        case .outdated: " (would be another now: codeai-hub service install)"
        case .edited: " (changed by hand)"
        case .foreign: " (not written for this home)"
        case .missing: " (missing: codeai-hub service install)"
        }
    }
}
