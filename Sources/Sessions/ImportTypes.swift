import Base
package import HubProtocol
package import JSON
package import Providers

/// A session made outside that could be imported.
package struct ImportableSession: Sendable {
    package var providerId: String
    package var session: ArchivedSession
    /// The session of ours that goes on with it, when there is one.
    package var sessionId: String?

    package var json: JSON {
        var object: JSONObject = ["providerId": JSON(providerId)]
        object = object.merging(session.json)
        object["sessionId"] = sessionId.map { JSON($0) } ?? .null
        return .object(object)
    }
}

/// What an import came to.
package struct ImportResult {
    package var session: Session
    /// False: it was there already, and nothing was changed.
    package var isNew: Bool
    /// The identifier that an uploaded log came with, when it got another one.
    package var importedFrom: String?
}

/// How far an import is; shown to clients, kept nowhere.
package struct ImportProgress: Sendable {
    package enum Status: String, Sendable { case running, completed, failed }

    package var importId: String
    package var providerId: String?
    package var nativeSessionId: String?
    package var status: Status
    /// Read so far, of all there are.
    package var bytes: Int
    package var totalBytes: Int
    package var sessionId: String?
    package var error: Failure?

    package var json: JSONObject {
        var object: JSONObject = ["importId": JSON(importId), "status": JSON(status.rawValue)]
        object["providerId"] = providerId.map { JSON($0) }
        object["nativeSessionId"] = nativeSessionId.map { JSON($0) }
        object["bytes"] = JSON(bytes)
        object["totalBytes"] = JSON(totalBytes)
        object["sessionId"] = sessionId.map { JSON($0) }
        object["error"] = error.map { .object($0.json) }
        return object
    }
}

/// Knows where the programs of providers keep their own sessions.
package protocol ArchiveSource: AnyObject {
    /// Providers that keep sessions which can be read.
    var archiveProviderIds: [String] { get }
    /// Nil when nothing is known of that provider's sessions.
    func archive(of providerId: String) -> (any SessionArchive)?
}

extension Failure {
    static func importTooLarge(_ bytes: Int, limit: Int) -> Failure {
        Failure(
            code: "payload_too_large",
            message: "The session has \(bytes) bytes; sessions.maxImportBytes allows \(limit).")
    }

    static let importCancelled = Failure(
        code: "shutting_down", message: "The daemon is being stopped; nothing was imported.", recoverable: true,
        actions: [.retryLater])

    /// - Parameter line: counted from 1, the header's.
    static func badLog(line: Int, _ message: String) -> Failure {
        Failure(
            code: "invalid_log", message: "Line \(line) of the log: \(message).", details: ["line": JSON(line)])
    }
}
