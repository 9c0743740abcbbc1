import Base
import EventLog
import HTTP1
import HubProtocol
import JSON
import Server
import Sessions

/// Sessions from elsewhere, and logs for elsewhere.
extension APIHandler {
    func addImportRoutes(to router: inout Router) {
        router.add(.get, "sessions/importable", query: ["provider", "limit"]) { [self] request throws(Failure) in
            let provider = try request.query.string("provider").map { ProviderID.resolve($0) }
            let limit = try request.query.number("limit", in: 1...1000) ?? 100
            return .later { [self] done in
                do throws(Failure) {
                    try service.imports.list(providerId: provider, limit: limit) { result in
                        done(result.map { .json(200, ["sessions": .array($0.map(\.json))]) })
                    }
                } catch {
                    done(.failure(error))
                }
            }
        }
        router.add(.post, "sessions/import") { [self] request throws(Failure) in
            if let upload = request.upload { return try importUpload(upload, by: request.client) }
            return try importNative(request)
        }
        router.add(.post, "sessions/*/fork") { [self] request throws(Failure) in
            let session = try service.session(request.parameters[0])
            let fields = try request.fields()
            let seq = try fields.int("atSeq", in: 1...Int.max)
            let title = try fields.string("title")
            return .later { [self] done in
                do throws(Failure) {
                    try service.imports.fork(session, atSeq: seq, title: title, by: request.client) { [self] in
                        done($0.map(reply))
                    }
                } catch {
                    done(.failure(error))
                }
            }
        }
        router.add(
            .get, "sessions/*/export", query: ["format"], produces: ["application/x-ndjson", "text/markdown"]
        ) { [self] request throws(Failure) in try export(request) }
    }

    private func importNative(_ request: APIRequest) throws(Failure) -> APIReply {
        let source = try request.fields().object("source")
        guard let source else {
            throw Failure(
                code: "missing_field",
                message: "source is missing; a log is sent as it is, with Content-Type: application/x-ndjson.",
                details: ["field": "source"])
        }
        let fields = Fields(source)
        let provider = ProviderID.resolve(try fields.requiredString("provider"))
        let native = try fields.requiredString("nativeSessionId")
        return .later { [self] done in
            do throws(Failure) {
                try service.imports.importNative(providerId: provider, nativeSessionId: native, by: request.client) {
                    [self] in done($0.map(reply))
                }
            } catch {
                done(.failure(error))
            }
        }
    }

    private func importUpload(_ upload: LogUpload, by client: ClientIdentity) throws(Failure) -> APIReply {
        guard let file = upload.file else {
            throw Failure(code: "missing_field", message: "The body is empty, where a session's log should be.")
        }
        return .later { [self] done in
            do throws(Failure) {
                try service.imports.importLog(file, by: client) { [self] in done($0.map(reply)) }
            } catch {
                done(.failure(error))
            }
        }
    }

    private func reply(_ result: ImportResult) -> APIReply {
        var record = record(of: result.session)
        record["importedFrom"] = result.importedFrom.map { JSON($0) }
        let location = [("Location", "/api/v1/sessions/\(result.session.id)")]
        return .json(result.isNew ? 201 : 200, .object(record), headers: location)
    }

    // MARK: Export

    private func export(_ request: APIRequest) throws(Failure) -> APIReply {
        let session = try service.session(request.parameters[0])
        let format = try request.query.string("format") ?? "jsonl"
        // What is said from now on is not in it, so that it has an end.
        let last = session.log.committedSeq
        guard ["jsonl", "markdown"].contains(format) else {
            throw Failure(
                code: "invalid_request", message: "format is jsonl or markdown.", details: ["field": "format"])
        }
        service.auditor?.record(
            "session_exported", by: request.client, sessionId: session.id, details: ["format": JSON(format)])
        switch format {
        case "markdown":
            return .download(
                contentType: "text/markdown; charset=utf-8", fileName: session.id + ".md",
                LogExport.markdown(of: session, through: last))
        default:
            return .download(
                contentType: "application/x-ndjson", fileName: session.id + ".jsonl",
                LogExport.lines(of: session.log, through: last))
        }
    }
}

/// Takes an uploaded log; the limit is the parser's.
final class LogUpload: HTTPBodyReceiver {
    private(set) var file: TemporaryFile?
    private let directory: String

    init(directory: String) {
        self.directory = directory
    }

    func take(_ part: UnsafeRawBufferPointer) -> Bool {
        do throws(SystemError) {
            let file = if let file { file } else { try TemporaryFile(in: directory) }
            self.file = file
            try file.append(part)
            return true
        } catch {
            return false
        }
    }

    /// Whether a request brings a log.
    static func isUpload(_ head: HTTPRequestHead) -> Bool {
        guard head.method == .post, head.isPath("/api/v1/sessions/import") else { return false }
        let type = head.headers["content-type"]?.lowercased() ?? ""
        return type.hasPrefix("application/x-ndjson") || type.hasPrefix("application/jsonl")
    }
}

/// The pieces of an exported log.
enum LogExport {
    private static let pieceBytes = 256 << 10

    static func lines(of log: SessionLog<SessionState>, through last: Int) -> Download.Source {
        var cursor = 0
        var hasHeader = false
        return { () throws(LogError) in
            var bytes: [UInt8] = []
            if !hasHeader {
                hasHeader = true
                log.header.serialize(into: &bytes)
                bytes.append(0x0a)
                return bytes
            }
            guard let slice = try nextSlice(of: log, after: &cursor, through: last) else { return nil }
            for line in slice.lines where line.seq <= last {
                bytes.append(contentsOf: slice.block[line.range])
                bytes.append(0x0a)
            }
            return bytes
        }
    }

    static func markdown(of session: Session, through last: Int) -> Download.Source {
        var cursor = 0
        var transcript = MarkdownTranscript()
        var head: String? = MarkdownTranscript.head(session.shown)
        let log = session.log
        return { () throws(LogError) in
            if let text = head.take() { return Array(text.utf8) }
            guard let slice = try nextSlice(of: log, after: &cursor, through: last) else { return nil }
            var text = ""
            for line in slice.lines where line.seq <= last {
                guard let json = try? JSON.parse(Array(slice.block[line.range])), let record = try? EventRecord(json)
                else { continue }
                text += transcript.render(record)
            }
            // An empty piece would be taken for nothing sent.
            return Array((text.isEmpty ? "\n" : text).utf8)
        }
    }

    private static func nextSlice(
        of log: SessionLog<SessionState>, after cursor: inout Int, through last: Int
    ) throws(LogError) -> LogSlice? {
        guard cursor < last else { return nil }
        let slice = try log.read(after: cursor, maxBytes: pieceBytes)
        guard let seq = slice.lastSeq else { return nil }
        cursor = slice.isLast ? last : seq
        return slice
    }
}
