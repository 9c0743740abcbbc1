import Base
import HubProtocol
import JSON
import Redaction
import Server
import Sessions

/// `logs/audit.log`: who decided what, and when. Never what was in it: arguments appear as a digest only. The actions
/// are listed in doc/operations.md.
final class AuditLog: Auditor {
    private let file: RotatingFile
    private let redactor: Redactor
    private var refusals = RefusalBudget()

    init(path: String, rules: RotatingFile.Rules, redactor: Redactor) {
        file = RotatingFile(path: path, rules: rules)
        self.redactor = redactor
    }

    /// What the configuration says from now on.
    func apply(rules: RotatingFile.Rules) { file.apply(rules) }

    /// Lines that could not be written.
    var lost: Int { file.lost }

    func record(_ action: String, by client: ClientIdentity?, sessionId: String?, details: JSONObject) {
        var object: JSONObject = ["ts": JSON(Timestamp.now.description), "action": JSON(action)]
        object["client"] = client.map { redactor.clean($0.json) }
        object["sessionId"] = sessionId.map { JSON($0) }
        for (key, value) in redactor.clean(details) { object[key] = value }
        var line: [UInt8] = []
        object.serialize(into: &line)
        file.append(line + [0x0a])
    }

    /// An attempt that the guard refused. Whoever is refused must not be able to fill the disk: of more than so many in
    /// a minute only the number is kept.
    func record(_ refusal: Refusal) {
        let now = Timestamp.now
        if let left = refusals.newMinute(now), left > 0 {
            record("access_refused", by: nil, sessionId: nil, details: ["leftOut": JSON(left)])
        }
        guard refusals.take() else { return }
        record(
            refusal.code == "too_many_failures" ? "rate_limited" : "access_refused", by: nil, sessionId: nil,
            details: [
                "reason": JSON(refusal.code), "peer": JSON(refusal.peer), "method": JSON(shortened(refusal.method)),
                "path": JSON(shortened(refusal.path)),
            ])
    }

    private func shortened(_ text: String) -> String { String(text.unicodeScalars.prefix(200)) }
}

/// How many refusals are written in a minute.
struct RefusalBudget {
    static let perMinute = 60

    private var minute: Int64 = 0
    private var count = 0

    /// - Returns: when a new minute has begun, how many of the one before were left out.
    mutating func newMinute(_ now: Timestamp) -> Int? {
        let minute = now.milliseconds / 60_000
        guard minute != self.minute else { return nil }
        defer {
            self.minute = minute
            count = 0
        }
        return max(0, count - RefusalBudget.perMinute)
    }

    /// Whether there is room for one more.
    mutating func take() -> Bool {
        count += 1
        return count <= RefusalBudget.perMinute
    }
}
