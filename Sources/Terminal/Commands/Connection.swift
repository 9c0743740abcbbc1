import Base
import Client
import Installations
import JSON

/// A command's way to the daemon.
struct Connection: Sendable {
    let home: HubHome
    let client: HubClient
    /// Whether this command started the daemon.
    let started: Bool

    /// - Parameter starts: whether a daemon is started when none runs.
    static func open(_ invocation: Invocation, starts: Bool) async throws(CommandFailure) -> Connection {
        let home = try home(invocation)
        return try await hub { () throws(HubError) in
            var started = false
            if starts { started = try await ensureRunning(home).started }
            return Connection(home: home, client: try HubClient(home: home), started: started)
        }
    }

    /// The running daemon, started when there was none. An update that was cut short is settled before: what is started is
    /// a version that is whole.
    static func ensureRunning(_ home: HubHome) async throws(HubError) -> (endpoint: HubEndpoint, started: Bool) {
        let installation = InstallationHome(path: home.path)
        if installation.isUnsettled, !installation.holdsDaemon { _ = try? Installer(installation).settle() }
        return try await DaemonLauncher(home: home).ensureRunning()
    }

    static func home(_ invocation: Invocation) throws(CommandFailure) -> HubHome {
        do throws(HubError) {
            guard let path = invocation.options["home"] else { return try HubHome.standard() }
            guard path.isAbsolutePath else { throw HubError(.unsafeHome, "--home needs an absolute path") }
            return HubHome(path: path)
        } catch {
            throw CommandFailure(.usage, error.code.rawValue, error.message)
        }
    }

    @discardableResult
    func call(_ method: String, _ path: String, _ body: JSON? = nil) async throws(CommandFailure) -> JSON {
        try await hub { () throws(HubError) in try await client.call(method, path, body) }
    }

    // MARK: Sessions

    /// Records of sessions, newest first, at most `limit`.
    func sessions(limit: Int, query: String = "") async throws(CommandFailure) -> [JSON] {
        try await page(limit: limit, query: query, after: nil).sessions
    }

    /// The same after a session, and where the next page begins.
    func page(
        limit: Int, query: String, after: String?
    ) async throws(CommandFailure) -> (sessions: [JSON], next: String?) {
        var found: [JSON] = []
        var after = after
        while found.count < limit {
            var path = "/sessions?limit=\(min(100, limit - found.count))" + query
            if let after { path += "&after=\(QueryText.encode(after))" }
            let page = try await call("GET", path)
            let records = page["sessions"]?.arrayValue ?? []
            found += records
            guard !records.isEmpty, let next = page["next"]?.stringValue, next != after else { return (found, nil) }
            after = next
        }
        return (found, after)
    }

    /// The session that an ID or the beginning of one means; the last one used for nil.
    func session(_ text: String?) async throws(CommandFailure) -> JSON {
        guard let text else {
            let recent = try await sessions(limit: 50)
            let newest = recent.max { ($0["updatedAt"]?.stringValue ?? "") < ($1["updatedAt"]?.stringValue ?? "") }
            guard let newest else {
                throw CommandFailure(.refused, "session_not_found", "there is no session yet: codeai-hub new")
            }
            return newest
        }
        if text.utf8.count >= 26, QueryText.isPlain(text) {
            do throws(HubError) { return try await client.call("GET", "/sessions/\(text)") } catch {
                // A long prefix of an ID is no ID; anything else is the daemon's answer.
                if error.status != 404 { throw CommandFailure(error) }
            }
        }
        let matches = try await sessions(limit: 100_000).filter {
            $0["id"]?.stringValue?.lowercased().hasPrefix(text.lowercased()) ?? false
        }
        if let exact = matches.first(where: { $0["id"]?.stringValue == text }) { return exact }
        guard let match = matches.first else {
            throw CommandFailure(.refused, "session_not_found", "no session's ID begins with \(text)")
        }
        guard matches.count == 1 else {
            let ids = matches.prefix(5).compactMap { $0["id"]?.stringValue }.joined(separator: ", ")
            throw CommandFailure(.refused, "ambiguous_id", "\(matches.count) IDs begin with \(text): \(ids)")
        }
        return match
    }

    func sessionId(_ text: String?) async throws(CommandFailure) -> String {
        guard let id = try await session(text)["id"]?.stringValue, QueryText.isPlain(id) else {
            throw CommandFailure(.refused, "invalid_answer", "the daemon's session has no usable id")
        }
        return id
    }

    /// The state as a client sees it that has just connected.
    func snapshot() async throws(CommandFailure) -> JSON {
        try await hub { () throws(HubError) in
            var options = StreamOptions()
            options.reconnects = false
            options.saysHello = false
            let stream = try await client.openStream(options)
            defer { stream.close() }
            for await event in stream.events {
                if case .frame(let frame) = event, frame.type == "core:state" { return frame.payload ?? .null }
                if case .ended(let error) = event, let error { throw error }
            }
            throw HubError(.connectionLost, "the daemon closed the stream before it said anything")
        }
    }
}

enum QueryText {
    /// Percent-encodes everything but the unreserved characters (RFC 3986 section 2.3).
    static func encode(_ text: String) -> String {
        var result = ""
        for byte in text.utf8 {
            if isUnreserved(byte) {
                result.append(Character(Unicode.Scalar(byte)))
            } else {
                let digits = String(byte, radix: 16, uppercase: true)
                result += "%" + (digits.count < 2 ? "0" : "") + digits
            }
        }
        return result
    }

    /// Whether the text can be a part of a path as it is.
    static func isPlain(_ text: String) -> Bool {
        !text.isEmpty && text != "." && text != ".." && text.utf8.allSatisfy(isUnreserved)
    }

    private static func isUnreserved(_ byte: UInt8) -> Bool {
        switch byte {
        case 0x30...0x39, 0x41...0x5a, 0x61...0x7a, UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"),
            UInt8(ascii: "~"):
            true
        default: false
        }
    }
}
