import Base
import Client
import Glibc
import HubProtocol
import JSON

/// What the daemon works with: providers, sessions, its program, the service manager, the terminal.
extension Doctor {
    // MARK: Providers

    mutating func examineProviders() {
        guard let answer = providerAnswer ?? providersWithoutDaemon() else {
            return add("providers", .warning, "could not be looked at", mend: "codeai-hub start, then doctor again")
        }
        for record in answer["providers"]?.arrayValue ?? [] { examine(provider: record) }
        for problem in answer["problems"]?.arrayValue ?? [] {
            let path = RequestText.plain(problem["path"])
            let key = problem["key"]?.stringValue.map { $0.isEmpty ? "" : " \($0)" } ?? ""
            let isModule = path.contains(text: "/modules/")
            add(
                "providers", .problem, "\(path):\(key) \(RequestText.plain(problem["reason"]))",
                mend: isModule
                    ? "codeai-hub providers update, or providers rollback"
                    : "mend that file, or remove it to have the manifest of the core")
        }
    }

    /// The daemon's program looks at them as the daemon does, and ends.
    private func providersWithoutDaemon() -> JSON? {
        guard let program = try? DaemonLauncher(home: home).findExecutable(),
            let (code, output) = DaemonProcess.capture(program, ["provider-check"], home: home), code == 0
        else { return nil }
        return try? JSON.parse(output)
    }

    private mutating func examine(provider record: JSON) {
        let id = RequestText.plain(record["id"])
        let name = RequestText.plain(record["name"])
        let version = record["version"]?.stringValue
        let isInstalled = record["installed"]?.boolValue == true
        let problem = record["problem"]?.stringValue
        if record["enabled"]?.boolValue == false {
            return add("providers", .ok, "\(name) is disabled", mend: "codeai-hub providers enable \(id)")
        }
        guard isInstalled else {
            // Nobody needs all of them.
            let canInstall = record["installRecipes"]?.arrayValue?.isEmpty == false
            return add(
                "providers", .ok, "\(name) is not installed",
                mend: canInstall ? "codeai-hub providers install \(id)" : nil)
        }
        if record["status"]?.stringValue != "active" {
            let minimum = record["minimumVersion"]?.stringValue.map { " (at least \($0) is needed)" } ?? ""
            let found = version.map { " \($0)" } ?? ""
            return add(
                "providers", .problem, "\(name)\(found) can't be used: \(problem ?? "inactive")\(minimum)",
                mend: "codeai-hub providers install \(id), or codeai-hub providers disable \(id)")
        }
        if record["authenticated"]?.boolValue == false {
            return add(
                "providers", .warning, "\(name)\(version.map { " \($0)" } ?? "") is not logged in",
                mend: record["login"]?["interactive"]?.boolValue == true
                    ? "codeai-hub providers login \(id)" : record["login"]?["hint"]?.stringValue)
        }
        let health = record["health"]?["state"]?.stringValue
        if health == "open" || health == "half_open" {
            return add(
                "providers", .warning, "\(name) failed again and again and is not started for a while",
                mend: "codeai-hub providers check \(id); logs/core.log says how it failed")
        }
        add("providers", .ok, "\(name)\(version.map { " \($0)" } ?? "")")
    }

    // MARK: Sessions

    mutating func examineSessions() {
        let folder = home.path + "/sessions"
        let names = folderEntries(folder) ?? []
        let logs = names.filter { $0.hasSuffix(".jsonl") && $0 != "index.jsonl" }
        var unreadable: [String] = []
        for name in logs where !isReadableLog("\(folder)/\(name)") { unreadable.append(name) }
        for name in unreadable.sorted().prefix(20) {
            add(
                "sessions", .problem, "\(folder)/\(name) is no log that can be read: the session isn't listed",
                mend: "if it was damaged elsewhere, restore it from a backup; else move it away")
        }
        if unreadable.count > 20 { add("sessions", .problem, "and \(unreadable.count - 20) more") }
        // What the daemon mended since its start, and what is kept of what was mended ever.
        for recovery in status?["recoveries"]?.arrayValue ?? [] {
            let finding = recovery["finding"]?.stringValue ?? ""
            guard finding != "unreadable", finding != "untrusted_file" else { continue }
            let session = recovery["sessionId"]?.stringValue ?? ""
            add(
                "sessions", .warning,
                "\(session.isEmpty ? "" : "session \(session): ")\(RequestText.plain(recovery["detail"]))",
                mend: "nothing to do: it was mended"
                    + (recovery["keptIn"]?.stringValue.map { "; what was found is kept in \($0)" } ?? ""))
        }
        let kept = names.count { $0.hasSuffix(".torn") || $0.hasSuffix(".quarantine") }
        if kept > 0, status?["recoveries"]?.arrayValue?.isEmpty ?? true {
            add(
                "sessions", .warning, "\(kept) files hold damaged pieces of logs that were mended earlier",
                mend: "look at \(quoted(folder))/*.torn and *.quarantine; they may be removed")
        }
        if !hasProblem("sessions") { add("sessions", .ok, "\(logs.count) \(logs.count == 1 ? "log" : "logs")") }
    }

    /// Whether it is a file of ours that begins as a log does. The rest of it the daemon checks when it is read.
    private func isReadableLog(_ path: String) -> Bool {
        let fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK)
        guard fd >= 0 else { return false }
        defer { close(fd) }
        var information = stat()
        guard fstat(fd, &information) == 0, information.st_mode & S_IFMT == S_IFREG, information.st_uid == getuid(),
            information.st_mode & 0o022 == 0
        else { return false }
        guard let start = try? readAll(fd, from: 0, count: 64 << 10),
            let end = start.firstIndex(of: 0x0a), let header = try? JSON.parse(Array(start[..<end]))
        else { return false }
        return header["kind"] == "header" && header["schema"]?.intValue != nil
    }

    // MARK: The program

    mutating func examineProgram() {
        let program: String
        do throws(HubError) {
            program = try DaemonLauncher(home: home).findExecutable()
        } catch {
            return add("program", .problem, error.message, mend: "install codeai-hub-core beside codeai-hub")
        }
        guard let (code, output) = DaemonProcess.capture(program, ["--version"], home: home) else {
            return add("program", .problem, "\(program) can't be started", mend: "install it again")
        }
        let text = String(decoding: output.prefix(500), as: UTF8.self).split(separator: "\n").joined(separator: " ")
        guard code == 0 else {
            // The loader names the library that is missing.
            return add(
                "program", .problem, "\(program) doesn't run: \(text)",
                mend: "install what is missing (libssl3, zlib1g, libcurl4), or install the program again")
        }
        guard text.hasSuffix(" \(clientVersion)") else {
            return add(
                "program", .warning, "\(program) says \(text), but this program is of version \(clientVersion)",
                mend: "install both from one release")
        }
        add("program", .ok, "\(program), \(text); its libraries are there")
    }

    // MARK: Around it

    mutating func examineService() async {
        guard let report = try? await ServiceReport.look(home), report.isInstalled else {
            return add("service", .ok, "not installed: the first client starts the daemon")
        }
        if let problem = report.problem {
            return add(
                "service", .problem, problem,
                mend: "codeai-hub service logs says why; then codeai-hub service install")
        }
        if let address = report.address, let wanted = report.configuredAddress, address != wanted {
            add(
                "service", .warning, "it listens at \(address), but the configuration says \(wanted)",
                mend: "codeai-hub service install")
        } else if let file = report.files.first(where: { $0.state != .current }) {
            add(
                "service", .warning, "\(file.path) is \(file.state.rawValue): not as it would be written now",
                mend: "codeai-hub service install\(file.state == .outdated ? "" : " --force, which loses the changes")")
        }
        guard report.canBeReached else {
            return add(
                "service", .warning, "installed, but there is no systemd of this user to ask",
                mend: "log in anew, or: loginctl enable-linger")
        }
        if !hasProblem("service") {
            let place = report.address.map { "; it listens at \($0)" } ?? ""
            add("service", .ok, "\(UserManager.service) is \(report.active ?? "?")\(place)")
        }
    }

    mutating func examineTerminal() {
        let locale = ["LC_ALL", "LC_CTYPE", "LANG"].compactMap(environmentVariable).first { !$0.isEmpty } ?? ""
        let name = environmentVariable("TERM") ?? ""
        if !locale.uppercased().contains(text: "UTF-8"), !locale.uppercased().contains(text: "UTF8") {
            add(
                "terminal", .warning,
                locale.isEmpty ? "no locale is set: agents may garble letters" : "the locale \(locale) is not UTF-8",
                mend: "export LANG=C.UTF-8")
        }
        if isatty(STDOUT_FILENO) == 1, name.isEmpty || name == "dumb" {
            add(
                "terminal", .warning, "TERM is \(name.isEmpty ? "not set" : name): no colours, no live view",
                mend: "export TERM=xterm-256color")
        }
        if !hasProblem("terminal") {
            add("terminal", .ok, isatty(STDOUT_FILENO) == 1 ? "\(name), \(locale)" : "none here; \(locale)")
        }
    }
}
