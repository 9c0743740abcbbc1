import Base
import Client
import Glibc
import JSON

/// Sessions to and from files, and from what agents keep by themselves.
enum ArchiveCommands {
    /// A log takes a while to read and check.
    private static let patience = Duration.seconds(3600)

    // MARK: Export

    @Sendable static func export(_ invocation: Invocation) async throws(CommandFailure) -> ExitCode {
        let format = invocation.options["format"] ?? "jsonl"
        guard ["jsonl", "markdown"].contains(format) else { throw .usage("--format takes jsonl or markdown") }
        let connection = try await Connection.open(invocation, starts: true)
        let id = try await connection.sessionId(invocation.argument(0))
        let path = "/api/v1/sessions/\(id)/export?format=\(format)"
        guard let file = invocation.options["output"], file != "-" else {
            let sink = try ExportSink(path: nil)
            try await download(path, to: sink, connection)
            return .ok
        }
        let sink = try ExportSink(path: file)
        try await download(path, to: sink, connection)
        let bytes = try sink.finish()
        let output = Output(invocation)
        if invocation.isJSON {
            output.print(json: [
                "sessionId": JSON(id), "file": JSON(file), "format": JSON(format), "bytes": JSON(bytes),
            ])
        } else {
            output.note("\(bytes) bytes in \(file)")
        }
        return .ok
    }

    static func download(
        _ path: String, to sink: ExportSink, _ connection: Connection
    ) async throws(CommandFailure) {
        let result = try await hub { () throws(HubError) in
            try await connection.client.download(path, timeout: patience) { sink.write($0) }
        }
        // An error has a body of its own, which says what it is.
        if result.status != 200 { try await hub { () throws(HubError) in _ = try result.json() } }
        try sink.check()
    }

    // MARK: Import

    @Sendable static func importSession(_ invocation: Invocation) async throws(CommandFailure) -> ExitCode {
        let connection = try await Connection.open(invocation, starts: true)
        let provider = invocation.options["from"]
        let what = invocation.arguments.first
        if invocation.has("list") || provider != nil && what == nil {
            return try await list(invocation, provider, connection)
        }
        guard let what else { throw .usage("import takes a FILE, or --from PROVIDER and an ID, or --list") }
        let result: HTTPResult
        if let provider {
            let id = try await nativeId(what, provider, connection)
            let body: JSON = ["source": ["provider": JSON(provider), "nativeSessionId": JSON(id)]]
            result = try await post(body.serialize(), "application/json", connection)
        } else {
            result = try await post(try contents(of: what), "application/x-ndjson", connection)
        }
        let record = try await hub { () throws(HubError) in try result.json() }
        let output = Output(invocation)
        if invocation.isJSON {
            output.print(json: record)
        } else {
            let id = RequestText.plain(record["id"])
            let title = RequestText.plain(record["title"])
            if result.status == 200 { output.note("It was imported before.") }
            if record["importedFrom"]?.stringValue != nil {
                output.note("A session of its ID is here: this is a copy.")
            }
            output.print(StyledText("\(id)  \(title)\n"))
        }
        return .ok
    }

    static func post(
        _ body: [UInt8], _ type: String, _ connection: Connection
    ) async throws(CommandFailure) -> HTTPResult {
        try await hub { () throws(HubError) in
            try await connection.client.request(
                "POST", "/api/v1/sessions/import", body: body, headers: [("content-type", type)], timeout: patience)
        }
    }

    private static func list(
        _ invocation: Invocation, _ provider: String?, _ connection: Connection
    ) async throws(CommandFailure) -> ExitCode {
        guard let limit = Int(invocation.options["limit"] ?? "20"), (1...1000).contains(limit) else {
            throw .usage("--limit takes a number from 1 to 1000")
        }
        let sessions = try await importable(provider, limit: limit, connection)
        let output = Output(invocation)
        if invocation.isJSON {
            output.print(json: ["sessions": .array(sessions)])
        } else if sessions.isEmpty {
            output.print("No sessions were made outside.\n")
        } else {
            let rows = sessions.map { session in
                [
                    RequestText.plain(session["nativeSessionId"]), RequestText.plain(session["providerId"]),
                    Clock.age(of: session["updatedAt"]?.stringValue ?? ""),
                    session["sessionId"]?.stringValue == nil ? "" : "yes", RequestText.plain(session["workspace"]),
                    RequestText.plain(session["title"]?.stringValue == nil ? session["firstPrompt"] : session["title"]),
                ]
            }
            output.print(table: ["ID", "PROVIDER", "AGE", "HERE", "FOLDER", "TITLE"], rows)
        }
        return .ok
    }

    private static func importable(
        _ provider: String?, limit: Int, _ connection: Connection
    ) async throws(CommandFailure) -> [JSON] {
        let filter = provider.map { "&provider=\(QueryText.encode($0))" } ?? ""
        let answer = try await connection.call("GET", "/sessions/importable?limit=\(limit)\(filter)")
        return answer["sessions"]?.arrayValue ?? []
    }

    /// The session that an ID or the beginning of one means.
    private static func nativeId(
        _ text: String, _ provider: String, _ connection: Connection
    ) async throws(CommandFailure) -> String {
        if text.utf8.count >= 36 { return text }
        let ids = try await importable(provider, limit: 1000, connection)
            .compactMap { $0["nativeSessionId"]?.stringValue }.filter { $0.hasPrefix(text.lowercased()) }
        guard let id = ids.first else {
            throw CommandFailure(.refused, "native_session_not_found", "no session of \(provider) begins with \(text)")
        }
        guard ids.count == 1 else {
            throw CommandFailure(.refused, "ambiguous_id", "\(ids.count) sessions of \(provider) begin with \(text)")
        }
        return id
    }

    static func contents(of path: String) throws(CommandFailure) -> [UInt8] {
        do throws(SystemError) {
            let file = path == "-" ? dup(STDIN_FILENO) : open(path, O_RDONLY | O_CLOEXEC)
            guard file >= 0 else { throw .current("open \(path)") }
            defer { close(file) }
            var bytes: [UInt8] = []
            var buffer = [UInt8](repeating: 0, count: 1 << 20)
            while true {
                let count = read(file, &buffer, buffer.count)
                if count < 0, errno == EINTR { continue }
                guard count >= 0 else { throw .current("read \(path)") }
                if count == 0 { return bytes }
                bytes.append(contentsOf: buffer[..<count])
            }
        } catch {
            throw CommandFailure(.refused, "input_output", "\(error)")
        }
    }
}

/// Where an export goes: standard output, or a file that gets its name when it is complete.
final class ExportSink: @unchecked Sendable {
    // Written by the client's thread alone, looked at by the command when that is done.
    private let path: String?
    private let file: Int32
    private var bytes = 0
    private var failure: SystemError?

    private var temporary: String { (path ?? "") + ".part" }

    init(path: String?) throws(CommandFailure) {
        self.path = path
        guard let path else {
            file = STDOUT_FILENO
            return
        }
        file = open(path + ".part", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
        guard file >= 0 else {
            throw CommandFailure(.refused, "input_output", "\(SystemError.current("open \(path)"))")
        }
    }

    deinit {
        guard path != nil else { return }
        close(file)
        unlink(temporary)
    }

    func write(_ part: UnsafeRawBufferPointer) {
        guard failure == nil else { return }
        do throws(SystemError) {
            try writeAll(Array(part), to: file, path ?? "standard output")
            bytes += part.count
        } catch {
            failure = error
        }
    }

    func check() throws(CommandFailure) {
        if let failure { throw CommandFailure(.refused, "input_output", "\(failure)") }
    }

    /// Gives the file its name.
    func finish() throws(CommandFailure) -> Int {
        guard let path, rename(temporary, path) == 0 else {
            throw CommandFailure(.refused, "input_output", "\(SystemError.current("rename \(temporary)"))")
        }
        return bytes
    }
}
