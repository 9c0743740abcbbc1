import Client
import HubProtocol
import JSON

/// `codeai-hub providers`: what there is, and what can be done with one.
enum ProviderCommands {
    @Sendable static func run(_ invocation: Invocation) async throws(CommandFailure) -> ExitCode {
        let action = invocation.argument(0) ?? "list"
        if action == "update" { return try await ModuleCommands.update(invocation) }
        if action == "rollback" { return try await ModuleCommands.rollBack(invocation) }
        guard action == "install" else {
            for option in ["recipe", "version"] where invocation.has(option) {
                throw .usage("--\(option) belongs to providers install")
            }
            // Only an installation has something to do before it ends.
            let signals = SignalWatch.ending()
            defer { signals?.close() }
            return try await run(action, invocation)
        }
        let connection = try await Connection.open(invocation, starts: true)
        return try await InstallFollower(connection: connection, output: Output(invocation)).run(
            try provider(invocation, action), recipe: invocation.options["recipe"],
            version: invocation.options["version"])
    }

    private static func run(_ action: String, _ invocation: Invocation) async throws(CommandFailure) -> ExitCode {
        let output = Output(invocation)
        let actions = [
            "list", "show", "install", "remove", "check", "login", "enable", "disable", "update", "rollback",
        ]
        guard actions.contains(action) else {
            throw .usage("\(action) is none of \(actions.joined(separator: ", ")): see codeai-hub help providers")
        }
        if action == "list" {
            guard invocation.argument(1) == nil else { throw .usage("list takes no ID: codeai-hub providers show ID") }
            return try await list(try await Connection.open(invocation, starts: true), output)
        }
        let id = try provider(invocation, action)
        let connection = try await Connection.open(invocation, starts: true)
        switch action {
        case "show": show(try await connection.call("GET", "/providers/\(id)"), output)
        case "check": show(try await connection.call("POST", "/providers/\(id)/check"), output)
        case "enable", "disable":
            let record = try await connection.call(
                "PATCH", "/providers/\(id)", ["enabled": JSON(action == "enable")])
            tell("\(name(record)) is \(action)d.", record, output)
        case "remove":
            let record = try await connection.call("POST", "/providers/\(id)/uninstall")
            let rest = record["executable"]?.stringValue.map { "; now it is used from \($0)" } ?? ""
            tell("What was installed for \(name(record)) is removed\(rest).", record, output)
        default: return try await login(id, connection, output)
        }
        return .ok
    }

    private static func provider(_ invocation: Invocation, _ action: String) throws(CommandFailure) -> String {
        guard let word = invocation.argument(1) else {
            throw .usage("ID is missing: codeai-hub providers \(action) ID")
        }
        let id = ProviderID.resolve(word)
        guard QueryText.isPlain(id) else { throw .usage("\(word) is no provider's id") }
        return id
    }

    /// The vendor's own login in this terminal; whether it worked the daemon sees by itself.
    private static func login(
        _ id: String, _ connection: Connection, _ output: Output
    ) async throws(CommandFailure) -> ExitCode {
        let answer = try await connection.call("POST", "/providers/\(id)/login")
        if let hint = answer["hint"]?.stringValue, !hint.isEmpty, !output.isJSON { output.note(hint) }
        let code = try await hub { () throws(HubError) in
            let program = try DaemonLauncher(home: connection.home).findExecutable()
            return try DaemonProcess.run(program, ["provider-login", id], home: connection.home)
        }
        let record = try await connection.call("POST", "/providers/\(id)/check")
        let isLoggedIn = record["authenticated"]?.boolValue == true
        tell("\(name(record)) is \(isLoggedIn ? "" : "not ")logged in.", record, output)
        return code == 0 && isLoggedIn ? .ok : .refused
    }

    // MARK: Output

    static func name(_ record: JSON) -> String { RequestText.plain(record["name"]) }

    static func tell(_ sentence: String, _ record: JSON, _ output: Output) {
        if output.isJSON { output.print(json: record) } else { output.print(StyledText(sentence + "\n")) }
    }

    private static func list(_ connection: Connection, _ output: Output) async throws(CommandFailure) -> ExitCode {
        let answer = try await connection.call("GET", "/providers")
        if output.isJSON {
            output.print(json: answer)
        } else {
            printTable(answer["providers"]?.arrayValue ?? [], output)
            printProblems(answer["problems"], output)
        }
        return .ok
    }

    static func printTable(_ records: [JSON], _ output: Output) {
        let rows = records.map { record in
            [
                RequestText.plain(record["id"]), name(record), state(record), version(record), login(record),
                problem(record),
            ]
        }
        output.print(table: ["ID", "NAME", "STATE", "VERSION", "LOGIN", "PROBLEM"], rows)
    }

    /// Manifests that can't be used.
    static func printProblems(_ problems: JSON?, _ output: Output) {
        for problem in problems?.arrayValue ?? [] {
            let key = problem["key"]?.stringValue ?? ""
            let text =
                "! \(RequestText.plain(problem["path"])): \(key.isEmpty ? "" : key + ": ")"
                + RequestText.plain(problem["reason"])
            output.print(StyledText(text + "\n", .yellow))
        }
    }

    private static func state(_ record: JSON) -> String {
        let phase = record["operation"]?["phase"]?.stringValue
        if phase == "installing" || phase == "verifying" { return "installing" }
        if record["enabled"]?.boolValue == false { return "disabled" }
        guard record["status"]?.stringValue == "active" else { return "inactive" }
        switch record["health"]?["state"]?.stringValue {
        case "open", "half_open": return "failing"
        default: return "active"
        }
    }

    private static func version(_ record: JSON) -> String {
        record["version"]?.stringValue ?? (record["installed"]?.boolValue == true ? "installed" : "not installed")
    }

    private static func login(_ record: JSON) -> String {
        record["authenticated"]?.boolValue.map { $0 ? "logged in" : "not logged in" } ?? "unknown"
    }

    private static func problem(_ record: JSON) -> String {
        let problem = record["problem"]?.stringValue ?? ""
        // The columns before say these already.
        return ["disabled", "not installed", "not logged in"].contains(problem) ? "" : problem
    }

    private static func show(_ record: JSON, _ output: Output) {
        guard !output.isJSON else { return output.print(json: record) }
        var text = StyledText(name(record), .bold)
        text.append("  \(RequestText.plain(record["id"]))  \(state(record))\n")
        func line(_ name: String, _ value: String?) {
            guard let value, !value.isEmpty else { return }
            text.append("  \(DisplayWidth.pad(name, to: 12))", .dim)
            text.append(value + "\n")
        }
        line("about", record["description"]?.stringValue)
        let bounds = [("minimumVersion", "at least"), ("testedVersion", "tested with")].compactMap { key, words in
            record[key]?.stringValue.map { "\(words) \($0)" }
        }
        line("version", version(record) + (bounds.isEmpty ? "" : " (\(bounds.joined(separator: ", ")))"))
        line("module", module(record["module"]))
        line("program", record["executable"]?.stringValue)
        line("login", login(record))
        line("models", list(record["models"]))
        line("modes", list(record["modes"]))
        let capabilities = record["capabilities"]?.objectValue ?? [:]
        line("can", capabilities.filter { $0.1.boolValue == true }.map(\.0).joined(separator: ", "))
        line("quota", record["quota"]?.arrayValue?.map(quota).joined(separator: "; "))
        for recipe in record["installRecipes"]?.arrayValue ?? [] {
            let missing = list(recipe["missing"])
            line(
                "recipe",
                "\(RequestText.plain(recipe["id"])): \(RequestText.plain(recipe["label"]))"
                    + (missing.isEmpty ? "" : " (needs \(missing))"))
        }
        line("installed", record["install"]?["installedAt"]?.stringValue)
        line("problem", record["problem"]?.stringValue)
        line("manifest", record["manifestProblem"]?["reason"]?.stringValue)
        line("module", record["module"]?["problem"]?["reason"]?.stringValue)
        if let error = record["operation"]?["error"]?["message"]?.stringValue { line("last install", error) }
        output.print(text)
    }

    /// Which manifest is in force.
    private static func module(_ module: JSON?) -> String {
        let version = module?["version"]?.stringValue ?? ""
        switch module?["source"]?.stringValue {
        case "bundled": return "\(version) (as the core has it inside)"
        case "installed": return "\(version) (installed by itself)"
        case "person" where module?["over"] != nil: return "your own, over \(version)"
        case "person": return "your own"
        default: return version
        }
    }

    private static func list(_ value: JSON?) -> String {
        value?.arrayValue?.compactMap(\.stringValue).joined(separator: ", ") ?? ""
    }

    private static func quota(_ window: JSON) -> String {
        let name = window["window"]?.stringValue ?? "quota"
        let used = window["utilization"]?.doubleValue.map { " \(Int(max(0, min(1, $0)) * 100)) %" } ?? ""
        return "\(name) \(RequestText.plain(window["status"]))\(used)"
    }
}
