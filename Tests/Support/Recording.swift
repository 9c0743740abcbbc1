import Base
import Foundation
package import HubProtocol
package import JSON

/// Keeps what tests hear and say, so that scripts/validate-recordings.py can hold all of it against the JSON Schemas:
/// frames, answers, and the logs that daemons leave. Does nothing unless `CODEAI_HUB_TEST_RECORDINGS` names a folder.
///
/// Of what looks alike only some is kept: thousands of deltas prove no more than three.
package enum Recording {
    private struct State {
        var descriptor: Int32 = -1
        var seen: [Int: Int] = [:]
        var logBytes = 0
        var logFiles = 0
    }

    private static let state = Lock(State())
    private static let alikeKept = 3
    private static let maxRecord = 256 << 10
    private static let maxShapes = 100_000
    /// Of all logs that are kept.
    private static let maxLogBytes = 512 << 20
    private static let maxLogsOfDaemon = 50

    private static let folder: String? = {
        guard let path = ProcessInfo.processInfo.environment["CODEAI_HUB_TEST_RECORDINGS"], !path.isEmpty else {
            return nil
        }
        try? FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        return path
    }()

    package static var isOn: Bool { folder != nil }

    /// A frame that came from a daemon.
    package static func received(_ frame: JSON) { keep("received", ["frame": frame]) }

    /// A frame that a daemon has carried out.
    package static func accepted(_ frame: JSON) { keep("accepted", ["frame": frame]) }

    /// Events that an adapter made of its provider's words, as a session would log them.
    package static func logged(_ drafts: [EventDraft]) {
        guard isOn else { return }
        for draft in drafts {
            keep("event", ["event": EventRecord(seq: 1, timestamp: .now, id: "recorded", draft: draft).json])
        }
    }

    /// - Parameter path: as it was asked for, query included.
    static func answer(_ method: String, _ path: String, request: [UInt8]?, requestType: String?, _ answer: RawResponse)
    {
        guard isOn else { return }
        var record: JSONObject = [
            "method": JSON(method), "path": JSON(path), "status": JSON(answer.status),
            "contentType": answer["Content-Type"].map { JSON($0) } ?? .null,
        ]
        if let request, let json = try? JSON.parse(request) { record["request"] = json }
        record["requestType"] = requestType.map { JSON($0) }
        if answer["Content-Encoding"] == nil, let json = try? JSON.parse(answer.body) { record["body"] = json }
        keep("answer", record)
    }

    /// The session logs in a folder.
    package static func logs(in directory: String) {
        guard let folder else { return }
        let names = (try? FileManager.default.contentsOfDirectory(atPath: directory)) ?? []
        for name in names.filter({ $0.hasSuffix(".jsonl") }).sorted().prefix(maxLogsOfDaemon) {
            let path = directory + "/" + name
            let size = (try? FileManager.default.attributesOfItem(atPath: path)[.size] as? Int) ?? 0
            let number = state.withLock { state -> Int? in
                guard size > 0, state.logBytes + size <= maxLogBytes else { return nil }
                state.logBytes += size
                state.logFiles += 1
                return state.logFiles
            }
            guard let number else { continue }
            try? FileManager.default.copyItem(atPath: path, toPath: "\(folder)/\(getpid())-\(number).log.jsonl")
        }
    }

    private static func keep(_ what: String, _ members: JSONObject) {
        guard let folder else { return }
        var hasher = Hasher()
        hasher.combine(what)
        look(at: .object(members), depth: 0, &hasher)
        let shape = hasher.finalize()
        let isNews = state.withLock { state in
            guard state.seen.count < maxShapes || state.seen[shape] != nil else { return false }
            state.seen[shape, default: 0] += 1
            return state.seen[shape]! <= alikeKept
        }
        guard isNews else { return }
        var line = JSON.object((["what": JSON(what)] as JSONObject).merging(members)).serialize()
        guard line.count < maxRecord else { return }
        line.append(0x0a)
        state.withLock { state in
            if state.descriptor < 0 {
                state.descriptor = open(
                    "\(folder)/\(getpid()).recording.jsonl", O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o600)
            }
            // One write: a test that ends in the middle leaves whole lines.
            _ = line.withUnsafeBytes { write(state.descriptor, $0.baseAddress, $0.count) }
        }
    }

    /// Members whose value makes a different thing of what they stand in.
    private static let telling: Set<String> = [
        "type", "kind", "status", "source", "role", "phase", "outcome", "purpose", "code", "method", "by", "state",
        "contentType",
    ]

    private static func look(at json: JSON, depth: Int, _ hasher: inout Hasher) {
        switch json {
        case .object(let object):
            hasher.combine(1)
            for (name, value) in object.sorted(by: { $0.key < $1.key }) {
                // The path of a request, without what differs from session to session.
                if depth == 0, name == "path", let path = value.stringValue {
                    for part in path.split(separator: "?")[0].split(separator: "/") where part.count < 20 {
                        hasher.combine(part)
                    }
                    continue
                }
                hasher.combine(name)
                if telling.contains(name), let text = value.stringValue { hasher.combine(text) }
                if depth < 12 { look(at: value, depth: depth + 1, &hasher) }
            }
        case .array(let array):
            hasher.combine(2)
            for value in array.prefix(8) { look(at: value, depth: depth + 1, &hasher) }
        case .string(let text): hasher.combine(text.isEmpty ? 3 : 4)
        case .bool(let value): hasher.combine(value)
        case .null: hasher.combine(5)
        default:
            hasher.combine(6)
            hasher.combine(json.intValue == nil)
        }
    }
}
