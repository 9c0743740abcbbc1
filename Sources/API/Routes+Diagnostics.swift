import Base
import EventLog
import HTTP1
import HubProtocol
package import JSON
import Sessions

/// Everything that helps to find out what is wrong, in one file.
extension APIHandler {
    func addDiagnosticsRoutes(to router: inout Router) {
        router.add(.get, "diagnostics", produces: ["application/x-bzip2"]) { [self] request throws(Failure) in
            service.auditor?.record("diagnostics", by: request.client, sessionId: nil, details: [:])
            return .later { [self] answer in
                core.diagnostics { result in answer(result.map(APIHandler.archive)) }
            }
        }
    }

    /// Bytes that go to the client in one piece.
    private static let pieceBytes = 256 << 10

    private static func archive(_ bytes: [UInt8]) -> APIReply {
        let time = Timestamp.now.description.prefix(19).filter { $0 != ":" && $0 != "-" }
        var sent = 0
        return .download(contentType: "application/x-bzip2", fileName: "codeai-hub-diagnostics-\(time)Z.tar.bz2") {
            () throws(LogError) in
            guard sent < bytes.count else { return nil }
            let piece = Array(bytes[sent..<min(bytes.count, sent + pieceBytes)])
            sent += piece.count
            return piece
        }
    }

    /// `GET /status` without titles, folders and queues: nothing that was said.
    package var statusWithoutSessions: JSONObject {
        var information = core.identity.json
        information["uptime"] = JSON(core.identity.uptime)
        information["clients"] = JSON(hub.clientCount)
        information["memory"] = ["rss": JSON(core.residentMemory)]
        information["children"] = .array(core.children.map(\.json))
        let counts = service.statusCounts
        let sessions = JSONObject(
            members: SessionState.Status.allCases.map { ($0.rawValue, JSON(counts[$0] ?? 0)) })
        return [
            "core": .object(information), "sessions": .object(sessions), "providers": .array(providers.records),
            "providerProblems": .array(providers.problems),
            "recoveries": .array(service.store.recoveries.map { JSON.object($0.json) }),
        ]
    }
}
