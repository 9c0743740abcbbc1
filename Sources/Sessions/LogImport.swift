import Base
import EventLog
import HubProtocol
import JSON

/// Reads a log of ours that came from outside, line by line, as strictly as it is written.
struct LogImport {
    let drafts: LogDrafts

    private(set) var builder: LogBuilder<SessionState>?
    /// The identifier it came with, when that is taken and it got another one.
    private(set) var importedFrom: String?
    private var line = 0

    init(drafts: LogDrafts) {
        self.drafts = drafts
    }

    /// - Throws: `invalid_log`, whose details name the line; `log_unavailable`.
    mutating func take(_ text: LineSplitter.Line) throws(Failure) {
        line += 1
        guard case .whole(let bytes) = text else { throw .badLog(line: line, "it is too long") }
        let json: JSON
        do throws(JSONError) { json = try JSON.parse(bytes) } catch { throw .badLog(line: line, "\(error)") }
        if line == 1 { try begin(json) } else { try append(json) }
    }

    private mutating func begin(_ json: JSON) throws(Failure) {
        if let schema = json["schema"]?.intValue, schema > LogHeader.schema {
            throw .badLog(line: 1, "it has format \(schema), this version reads \(LogHeader.schema): update")
        }
        guard var header = LogHeader(json) else { throw .badLog(line: 1, "it is no header of a session's log") }
        let isUsable =
            LogFormat.isValid(sessionId: header.sessionId) && LogImport.isName(header.providerId)
            && header.workspace.isAbsolutePath && header.workspace.utf8.count < 4096
            && !header.workspace.utf8.contains(0) && NativeImport.isWritable(header.createdAt)
        guard isUsable else { throw .badLog(line: 1, "an identifier, the time or the workspace is not valid") }
        if drafts.isTaken(header.sessionId) {
            importedFrom = header.sessionId
            header.sessionId = randomUUID()
        }
        do throws(LogError) { builder = try LogBuilder(header, in: drafts) } catch {
            throw Session.logUnavailable(error)
        }
    }

    /// What names providers and files: no path, nothing that a terminal obeys.
    private static func isName(_ text: String) -> Bool {
        (1...64).contains(text.utf8.count)
            && text.utf8.allSatisfy { $0 > 32 && $0 < 127 && $0 != UInt8(ascii: "/") }
    }

    private mutating func append(_ json: JSON) throws(Failure) {
        let record: EventRecord
        do throws(EventRecord.DecodingError) { record = try EventRecord(json) } catch {
            throw .badLog(line: line, "\(error)")
        }
        guard let builder else { throw .badLog(line: line, "the header is missing") }
        guard record.seq == builder.lastSeq + 1 else {
            throw .badLog(line: line, "seq is \(record.seq), \(builder.lastSeq + 1) comes next")
        }
        guard NativeImport.isWritable(record.timestamp), (1...128).contains(record.id.utf8.count) else {
            throw .badLog(line: line, "ts or id is not valid")
        }
        do throws(LogError) {
            // A copy's events are others than those that are here: an id is unique over all sessions.
            try builder.append(
                record.draft, at: record.timestamp, id: importedFrom == nil ? record.id : nil)
        } catch {
            throw Session.logUnavailable(error)
        }
        let state = builder.state
        guard max(state.queue.count, state.pending.count, state.openTools.count) <= LogImport.openLimit else {
            throw .badLog(line: line, "more than \(LogImport.openLimit) messages, requests or tools are open")
        }
    }

    /// Messages that wait, requests, and tools without a result, each: all of them are in memory, at every start.
    static let openLimit = 1000

    /// Ends the log with where it came from.
    mutating func finish(at now: Timestamp, by client: ClientIdentity) throws(Failure) -> BuiltLog<SessionState> {
        guard let builder else { throw .badLog(line: 1, "there is none") }
        var from: JSONObject = [:]
        from["sessionId"] = importedFrom.map { JSON($0) }
        do throws(LogError) {
            try builder.append(
                EventDraft(
                    .status, source: .core, providerId: builder.state.providerId,
                    data: [
                        "type": "imported", "from": .object(from), "copy": JSON(importedFrom != nil),
                        "by": client.json,
                    ]), at: max(now, builder.state.updatedAt))
            return try builder.finish()
        } catch {
            throw Session.logUnavailable(error)
        }
    }
}
