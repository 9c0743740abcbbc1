import Client
import Configuration
import Glibc
import JSON

/// `codeai-hub config`: looks at settings and changes them.
///
/// One rule for changes: what clients may set is set by the daemon when one runs, which checks it, writes it into the
/// file and says at once what became of it. All else (what only the file may say, or no daemon running) is written into
/// the file here, in the same way; a daemon takes that up by itself.
enum ConfigCommands {
    @Sendable static func run(_ invocation: Invocation) async throws(CommandFailure) -> ExitCode {
        let action = invocation.argument(0) ?? "get"
        let words = Array(invocation.arguments.dropFirst())
        guard let (least, most) = counts[action] else {
            let actions = ["get", "set", "unset", "edit", "path", "check", "schema"].joined(separator: ", ")
            throw .usage("\(action) is none of \(actions): see codeai-hub help config")
        }
        guard words.count >= least, words.count <= most else {
            throw .usage("config \(action) takes \(least == most ? "\(least)" : "\(least) or \(most)") more words")
        }
        let place = try await ConfigurationPlace.find(invocation)
        defer { place.client?.close() }
        let output = Output(invocation)
        switch action {
        case "get": return try await get(words.first, place, output)
        case "set": return try await change(words[0], to: words[1], place, output)
        case "unset": return try await change(words[0], to: nil, place, output)
        case "edit": return try ConfigEditing(place: place, output: output).run()
        case "check": return check(words.first ?? place.path, output)
        case "schema": TerminalDevice.write(String(decoding: Configuration.schema, as: UTF8.self))
        default:
            if output.isJSON {
                output.print(json: ["path": JSON(place.path)])
            } else {
                output.print(StyledText("\(place.path)\n"))
            }
        }
        return .ok
    }

    /// The number of words that each action takes.
    private static let counts: [String: (Int, Int)] = [
        "get": (0, 1), "set": (2, 2), "unset": (1, 1), "edit": (0, 0), "path": (0, 0), "check": (0, 1),
        "schema": (0, 0),
    ]

    // MARK: get

    private static func get(
        _ key: String?, _ place: ConfigurationPlace, _ output: Output
    ) async throws(CommandFailure) -> ExitCode {
        let values = try await SettingValues(place)
        if let key {
            let setting = try find(key)
            let value = values[setting]
            if output.isJSON {
                output.print(json: .object(value.json(setting)))
            } else {
                output.print(StyledText("\(text(value.value))\n"))
                if let note = value.note { output.note("(\(note))") }
            }
            return .ok
        }
        let rows = values.keys.map { ($0, values[$0]) }
        if output.isJSON {
            output.print(json: [
                "path": JSON(place.path), "running": JSON(values.isRunning),
                "settings": .array(rows.map { .object($1.json($0)) }),
            ])
        } else {
            output.print(
                table: ["KEY", "VALUE", "NOTE"],
                rows.map { setting, value in
                    // Those are often secrets, and this is a screen.
                    let isMap = if case .textMap = setting.form { true } else { false }
                    let names = value.value?.objectValue?.map(\.key).joined(separator: ", ") ?? ""
                    return [setting.key, isMap ? names : text(value.value), value.note ?? ""]
                })
        }
        return .ok
    }

    /// A string as it is, all else as JSON.
    private static func text(_ value: JSON?) -> String { value?.stringValue ?? value?.description ?? "" }

    private static func find(_ key: String) throws(CommandFailure) -> SettingKey {
        guard let setting = SettingTable.find(key) else {
            throw .usage("\(key) is no setting: codeai-hub config lists them")
        }
        return setting
    }

    // MARK: set

    /// - Parameter text: nil for the default.
    private static func change(
        _ key: String, to text: String?, _ place: ConfigurationPlace, _ output: Output
    ) async throws(CommandFailure) -> ExitCode {
        let setting = try find(key)
        let value: JSON? = text.map { setting.form.value(of: $0) ?? JSON($0) }
        if let value, let problem = setting.form.problem(with: value) { throw .usage("\(key) \(problem)") }
        let runs = place.client != nil
        if !setting.isPrivileged, let client = place.client {
            let patch = setting.path.reversed().reduce(value ?? .null) { .object([$1: $0]) }
            try await hub { () throws(HubError) in try await client.call("PATCH", "/settings", patch) }
        } else {
            do throws(ConfigurationError) {
                try ConfigurationFile(place.path).change([.init(key: key, value: value)], backups: place.backups)
            } catch {
                throw CommandFailure(error)
            }
        }
        let when: String
        switch setting.effect {
        case _ where !runs: when = "from the daemon's next start on"
        case .restart: when = "from the daemon's next start on"
        case _ where setting.isPrivileged: when = "within 2 s"
        case .newConnections: when = "for new connections"
        case .now: when = "now"
        }
        let overridden = try await place.settings()?["overridden"]?[key]?.stringValue
        guard !output.isJSON else {
            var object: JSONObject = ["key": JSON(key), "value": value ?? setting.defaultValue ?? .null]
            object["effect"] = JSON(setting.effect.rawValue)
            object["overridden"] = overridden.map { JSON($0) }
            output.print(json: .object(object))
            return .ok
        }
        let shown = self.text(value ?? setting.defaultValue)
        let isDefault = value == nil ? ", the default," : ""
        output.print(StyledText("\(key) is \(shown.isEmpty ? "unset" : shown)\(isDefault) \(when).\n"))
        if let overridden { output.note("But the running daemon has it from \(overridden), which comes first.") }
        return .ok
    }

    // MARK: check

    private static func check(_ path: String, _ output: Output) -> ExitCode {
        var problems: [ConfigurationError.Problem] = []
        do throws(ConfigurationError) {
            _ = try Configuration.load(path: path, environment: [:], createsMissing: false)
        } catch {
            problems = error.problems
        }
        if output.isJSON {
            output.print(json: [
                "path": JSON(path), "valid": JSON(problems.isEmpty),
                "problems": .array(problems.map { JSON($0.description) }),
            ])
        } else if problems.isEmpty {
            output.print(StyledText("\(path) is valid.\n"))
        } else {
            for problem in problems { output.note(problem.description) }
        }
        return problems.isEmpty ? .ok : .refused
    }
}

extension CommandFailure {
    init(_ error: ConfigurationError) { self.init(.refused, "configuration_broken", error.description) }
}

/// The file that a home's daemon reads, and the daemon itself when it runs.
struct ConfigurationPlace: Sendable {
    let home: HubHome
    let path: String
    /// Nil when no daemon runs.
    let client: HubClient?

    var backups: String { home.path + "/backups" }

    static func find(_ invocation: Invocation) async throws(CommandFailure) -> ConfigurationPlace {
        let home = try Connection.home(invocation)
        let standard = home.path + "/core/config.json"
        return try await hub { () throws(HubError) in
            guard try await DaemonLauncher(home: home).running() != nil else {
                return ConfigurationPlace(home: home, path: standard, client: nil)
            }
            let client = try HubClient(home: home)
            let status = try await client.call("GET", "/status")
            // It may have been started with another file.
            return ConfigurationPlace(
                home: home, path: status["configuration"]?["path"]?.stringValue ?? standard, client: client)
        }
    }

    /// What the daemon has in force; nil when none runs.
    func settings() async throws(CommandFailure) -> JSON? {
        guard let client else { return nil }
        return try await hub { () throws(HubError) in try await client.call("GET", "/settings") }
    }
}

/// What is in force, as far as it can be known: from the daemon what it tells, all else from the file.
struct SettingValues {
    struct Value {
        var value: JSON?
        /// Why it is not simply what the file says.
        var note: String?
        var members: JSONObject = [:]

        func json(_ setting: SettingKey) -> JSONObject {
            var object: JSONObject = ["key": JSON(setting.key), "value": value ?? .null]
            for (name, value) in members { object[name] = value }
            object["default"] = setting.defaultValue
            object["effect"] = JSON(setting.effect.rawValue)
            object["privileged"] = JSON(setting.isPrivileged)
            return object
        }
    }

    private let file: Configuration
    private let running: JSON?

    init(_ place: ConfigurationPlace) async throws(CommandFailure) {
        running = try await place.settings()
        do throws(ConfigurationError) {
            let text = try ConfigurationFile(place.path).read()
            file =
                try text.map { text throws(ConfigurationError) in try Configuration.parse(text, source: place.path) }
                ?? Configuration()
        } catch {
            // What is in force is a daemon's own affair; without one there is only the file.
            throw CommandFailure(error)
        }
    }

    var isRunning: Bool { running != nil }

    var keys: [SettingKey] { file.values.map(\.key) }

    subscript(setting: SettingKey) -> Value {
        let written = file.value(of: setting.key)
        guard let running else { return Value(value: written) }
        let inForce = setting.isPrivileged ? written : setting.path.reduce(running) { $0?[$1] }
        if let source = running["overridden"]?[setting.key]?.stringValue {
            let isHidden = setting.isPrivileged ? "the daemon has another from \(source)" : "from \(source)"
            return Value(value: inForce, note: isHidden, members: ["overridden": JSON(source)])
        }
        let waits = running["needsRestart"]?.arrayValue?.contains(JSON(setting.key)) ?? false
        guard waits else { return Value(value: inForce) }
        return Value(
            value: inForce,
            note: setting.isPrivileged
                ? "from the daemon's next start on"
                : "\(written?.description ?? "") from the daemon's next start on",
            members: ["needsRestart": true, "next": written ?? .null])
    }
}
