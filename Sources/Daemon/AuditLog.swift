import Base
import HubProtocol
import JSON
import Sessions

/// `logs/audit.log`: who decided what, and when. Never what was in it: arguments appear as a digest only.
final class AuditLog: Auditor {
    private let file: RotatingFile

    init(path: String, maxBytes: Int, keep: Int) { file = RotatingFile(path: path, maxBytes: maxBytes, keep: keep) }

    func record(_ action: String, by client: ClientIdentity?, sessionId: String?, details: JSONObject) {
        var object: JSONObject = ["ts": JSON(Timestamp.now.description), "action": JSON(action)]
        object["client"] = client?.json
        object["sessionId"] = sessionId.map { JSON($0) }
        for (key, value) in details { object[key] = value }
        var line: [UInt8] = []
        object.serialize(into: &line)
        file.append(line + [0x0a])
    }
}
