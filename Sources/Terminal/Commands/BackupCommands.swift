import Archives
import Backups
import Base
import Client
import Glibc
import JSON

/// Backups, made and put back in the daemon's folder itself: for both no daemon need run.
enum BackupCommands {
    // MARK: Making

    @Sendable static func backup(_ invocation: Invocation) async throws(CommandFailure) -> ExitCode {
        let home = try Connection.home(invocation)
        let shelf = BackupShelf(home: home.path)
        if invocation.has("list") { return list(shelf, Output(invocation)) }
        guard isDirectory(home.path + "/sessions") else {
            throw CommandFailure(.refused, "not_found", "there is no \(home.path)/sessions to back up")
        }
        let path = invocation.options["output"] ?? shelf.placeForBackup()
        let output = Output(invocation)
        let manifest = try archiving { () throws(ArchiveError) in
            var maker = BackupMaker(home: home.path, version: clientVersion)
            let progress = Progress(output, "read")
            maker.onProgress = { progress.show($0) }
            defer { progress.end() }
            return try maker.make(path)
        }
        if invocation.options["output"] == nil { shelf.prune(keep: keep(home)) }
        note("backup", ["sessions": JSON(manifest.sessions), "bytes": JSON(manifest.bytes)], home)
        if invocation.isJSON {
            output.print(json: [
                "file": JSON(path), "sessions": JSON(manifest.sessions), "files": JSON(manifest.files.count),
                "bytes": JSON(manifest.bytes),
            ])
        } else {
            output.print(StyledText("\(Sanitizer.cleanLine(path))\n"))
            output.note("\(manifest.sessions) sessions, \(manifest.bytes) bytes before they were packed")
        }
        return .ok
    }

    private static func list(_ shelf: BackupShelf, _ output: Output) -> ExitCode {
        let items = shelf.items
        if output.isJSON {
            output.print(json: ["backups": .array(items.map(\.json))])
        } else {
            output.print(
                table: ["TIME", "KIND", "BYTES", "WHAT"],
                items.map { [$0.time, $0.kind, "\($0.bytes)", what($0)] })
        }
        return .ok
    }

    private static func what(_ item: BackupShelf.Item) -> String {
        guard let session = item.sessionId else { return item.name }
        return session + (item.title.map { "  \($0)" } ?? "")
    }

    // MARK: Putting back

    @Sendable static func restore(_ invocation: Invocation) async throws(CommandFailure) -> ExitCode {
        let home = try Connection.home(invocation)
        if let session = invocation.options["session"] {
            guard invocation.arguments.isEmpty else { throw .usage("restore takes a FILE or --session, not both") }
            return try await restore(session: session, home, invocation)
        }
        guard let file = invocation.argument(0) else { throw .usage("restore takes a FILE, or --session and an ID") }
        if home.isInUse {
            guard invocation.has("stop") else {
                throw CommandFailure(
                    .refused, "daemon_running", "a daemon runs on \(home.path): stop it first, or say --stop")
            }
            _ = try await AdministrationCommands.end(invocation)
        }
        let output = Output(invocation)
        let result = try archiving { () throws(ArchiveError) in
            var restore = Restore(home: home.path)
            let progress = Progress(output, "checked")
            restore.onProgress = { progress.show($0) }
            defer { progress.end() }
            return try restore.run(file)
        }
        BackupShelf(home: home.path).prune(keep: keep(home))
        note(
            "restore", ["sessions": JSON(result.manifest.sessions), "createdAt": JSON(result.manifest.createdAt)], home)
        if invocation.isJSON {
            output.print(json: [
                "sessions": JSON(result.manifest.sessions), "files": JSON(result.manifest.files.count),
                "createdAt": JSON(result.manifest.createdAt), "before": JSON(result.before),
            ])
        } else {
            let time = Sanitizer.cleanLine(result.manifest.createdAt)
            output.print(StyledText("\(result.manifest.sessions) sessions as they were at \(time)\n"))
            output.note("What was there is in \(result.before)")
        }
        return .ok
    }

    @Sendable static func undelete(_ invocation: Invocation) async throws(CommandFailure) -> ExitCode {
        try await restore(session: invocation.argument(0) ?? "", try Connection.home(invocation), invocation)
    }

    /// A deleted session comes back as it was, beside those that run.
    private static func restore(
        session id: String, _ home: HubHome, _ invocation: Invocation
    ) async throws(CommandFailure) -> ExitCode {
        let found = BackupShelf(home: home.path).deletedSessions(id)
        guard let session = found.first?.sessionId, QueryText.isPlain(session) else {
            throw CommandFailure(
                .refused, "session_not_found", "no deleted session's ID begins with \(id): backup --list")
        }
        guard found.count == 1 else {
            throw CommandFailure(.refused, "ambiguous_id", "\(found.count) deleted sessions' IDs begin with \(id)")
        }
        let connection = try await Connection.open(invocation, starts: true)
        let record = try await connection.call("POST", "/sessions/\(session)/undelete")
        let output = Output(invocation)
        if invocation.isJSON {
            output.print(json: record)
        } else {
            output.print(
                StyledText("\(RequestText.plain(record["id"]))  \(RequestText.plain(record["title"]))\n"))
        }
        return .ok
    }

    // MARK: Helpers

    /// `backups.keep` as the configuration has it; the daemon's own default where it doesn't say.
    private static func keep(_ home: HubHome) -> Int {
        let bytes = (try? readFile(home.path + "/core/config.json")) ?? []
        return (try? JSON.parse(bytes))?["backups"]?["keep"]?.intValue ?? 10
    }

    /// Into the audit, which the daemon doesn't write when it isn't asked. A line that can't be written stops nothing.
    private static func note(_ action: String, _ details: JSONObject, _ home: HubHome) {
        var object: JSONObject = [
            "ts": JSON(Timestamp.now.description), "action": JSON(action),
            "client": ["name": "codeai-hub", "id": JSON("pid-\(getpid())"), "transport": "local"],
        ]
        for (key, value) in details { object[key] = value }
        try? appendFile(home.path + "/logs/audit.log", JSON.object(object).serialize() + [0x0a])
    }

    private static func archiving<Value>(_ body: () throws(ArchiveError) -> Value) throws(CommandFailure) -> Value {
        do throws(ArchiveError) { return try body() } catch {
            let code =
                switch error.code {
                case .damaged: "archive_damaged"
                case .unsafe: "archive_unsafe"
                case .tooLarge: "archive_too_large"
                case .refused: "daemon_running"
                case .inputOutput: "input_output"
                }
            throw CommandFailure(.refused, code, error.message)
        }
    }
}

/// How far a long piece of work is, on a terminal that somebody looks at.
private final class Progress {
    private let isShown: Bool
    private let verb: String
    private var last = ContinuousClock().now
    private var hasShown = false

    init(_ output: Output, _ verb: String) {
        isShown = !output.isJSON && isatty(STDERR_FILENO) == 1
        self.verb = verb
    }

    func show(_ bytes: Int) {
        guard isShown, ContinuousClock().now - last > .milliseconds(200) else { return }
        last = ContinuousClock().now
        hasShown = true
        TerminalDevice.write("\r\(bytes >> 20) MB \(verb)", to: STDERR_FILENO)
    }

    func end() {
        if hasShown { TerminalDevice.write("\r\u{1b}[K", to: STDERR_FILENO) }
    }
}
