import Base
import EventLog
import JSON

/// What deleted sessions have used, which must go on counting: money is spent whether or not the conversation is kept.
///
/// One line a session in `core/usage.jsonl`, written and synced before its log is moved away: a crash between the two
/// leaves a line about a session that still exists, which the next start passes over. Durable, not derived: the log is
/// gone. No text of the conversation is in it.
package final class UsageArchive {
    /// By session; the one with the empty name is the sum of those deleted long ago.
    package private(set) var ledgers: [String: UsageLedger] = [:]
    /// Something that the person who runs the daemon should know.
    package var onProblem: (String) -> Void = { _ in }

    private let path: String?
    /// What a file of more bytes has of sessions that were last used more than `keptDays` ago is summed up.
    private let compactAbove: Int
    private static let keptDays = 90
    private static let sizeLimit = 256 << 20

    /// - Parameter path: nil keeps all in memory only.
    package init(path: String? = nil, compactAbove: Int = 4 << 20) {
        self.path = path
        self.compactAbove = compactAbove
    }

    /// Reads the file. Lines of sessions that exist are passed over, and so are damaged ones.
    func load(today: Day, exists: (String) -> Bool) {
        guard let path else { return }
        let bytes: [UInt8]
        do throws(SystemError) {
            bytes = try readFile(path, limit: UsageArchive.sizeLimit)
        } catch {
            if !error.isNotFound { onProblem("\(path): what deleted sessions cost can't be read: \(error)") }
            return
        }
        var damaged = 0
        for line in bytes.split(separator: 0x0a) {
            guard let json = try? JSON.parse(Array(line)), let id = json["sessionId"]?.stringValue,
                let ledger = json["usage"].flatMap({ UsageLedger($0) })
            else {
                damaged += 1
                continue
            }
            // A deletion that was repeated has several; the last has all.
            if !exists(id) { ledgers[id] = ledger }
        }
        if damaged > 0 { onProblem("\(path): \(damaged) damaged lines were passed over") }
        if bytes.count > compactAbove { compact(path, today) }
    }

    private func compact(_ path: String, _ today: Day) {
        let limit = today + -UsageArchive.keptDays
        var old = ledgers[""] ?? UsageLedger()
        var kept: [String: UsageLedger] = [:]
        for (id, ledger) in ledgers where id != "" {
            if let day = ledger.lastDay, day < limit { old.merge(ledger) } else { kept[id] = ledger }
        }
        if !old.isEmpty { kept[""] = old }
        ledgers = kept
        var bytes: [UInt8] = []
        for (id, ledger) in kept.sorted(by: { $0.key < $1.key }) { bytes += UsageArchive.line(id, ledger, nil) }
        do throws(SystemError) {
            try writeFile(path, bytes)
        } catch {
            onProblem("\(path) can't be made smaller: \(error)")
        }
    }

    /// Takes what a session used that is about to be deleted. While the file can't be written it counts until the
    /// daemon ends: a full disk must not keep anybody from deleting.
    func take(_ sessionId: String, _ ledger: UsageLedger, at now: Timestamp) {
        guard !ledger.isEmpty else { return }
        ledgers[sessionId] = ledger
        guard let path else { return }
        do throws(SystemError) {
            // A line that a crash has cut is ended first.
            try appendFile(path, [0x0a] + UsageArchive.line(sessionId, ledger, now))
        } catch {
            onProblem("\(path): what session \(sessionId) cost can't be kept beyond this run: \(error)")
        }
    }

    /// The session was not deleted after all, or was imported again.
    func giveBack(_ sessionId: String) { ledgers[sessionId] = nil }

    private static func line(_ id: String, _ ledger: UsageLedger, _ deletedAt: Timestamp?) -> [UInt8] {
        var object: JSONObject = ["sessionId": JSON(id)]
        object["deletedAt"] = deletedAt.map { JSON($0.description) }
        object["usage"] = ledger.json
        return JSON.object(object).serialize() + [0x0a]
    }
}
