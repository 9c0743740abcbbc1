import ACPMessages
import Base
import Client
import HubProtocol
import JSON

/// Sessions made, opened, listed and closed by the editor.
extension Door {
    func newSession(_ request: EditorRequest) throws(ACPError) {
        let workspace = try Door.workspace(of: request)
        chooseProvider(request) { [self] providerId in
            var body: JSONObject = ["providerId": JSON(providerId), "workspace": JSON(workspace)]
            body["model"] = options.model.map { JSON($0) }
            body["mode"] = options.mode.map { JSON($0) }
            // Not sent twice: nobody wants two sessions.
            link.call("POST", "/sessions", .object(body), isRepeatable: false) { [self] result in
                open(result, request, .new(leftOut: Door.servers(of: request)))
            }
        }
    }

    func forkSession(_ request: EditorRequest) throws(ACPError) {
        _ = try Door.workspace(of: request)
        let id = PathPart.encode(try request.text("sessionId"))
        link.call("POST", "/sessions/\(id)/fork", [:], isRepeatable: false) { [self] result in
            open(result, request, .resume)
        }
    }

    /// `session/load` and `session/resume`.
    func openSession(_ request: EditorRequest, replays: Bool) throws(ACPError) {
        _ = try Door.workspace(of: request)
        let id = try request.text("sessionId")
        guard sessions[id]?.isBusy != true else {
            throw ACPError(code: -32600, message: "A prompt of this editor is being worked on in session \(id)")
        }
        link.call("GET", "/sessions/\(PathPart.encode(id))") { [self] result in
            open(result, request, replays ? .load : .resume)
        }
    }

    /// Shows the editor a session, of which the daemon has given the record.
    private func open(_ result: Result<JSON, HubError>, _ request: EditorRequest, _ opening: DoorSession.Opening) {
        let record: JSON
        switch result {
        case .success(let value): record = value
        case .failure(let error): return request.fail(ACPError(error))
        }
        guard let id = record["id"]?.stringValue else {
            return request.fail(.internalError("The daemon's session has no usable record"))
        }
        link.call("GET", "/providers") { [self] providers in
            let known = (try? providers.get())?["providers"]?.arrayValue ?? []
            link.open(sessionId: id) { [self] result in
                switch result {
                case .failure(let error): request.fail(ACPError(error))
                case .success(let stream):
                    sessions[id]?.close()
                    let session = DoorSession(record: record, providers: known, door: self, stream: stream)
                    sessions[id] = session
                    session.begin(opening, request)
                }
            }
        }
    }

    func deleteSession(_ request: EditorRequest) throws(ACPError) {
        let id = try request.text("sessionId")
        link.call("DELETE", "/sessions/\(PathPart.encode(id))") { [self] result in
            // One that is gone is as good as deleted.
            if case .failure(let error) = result, error.status != 404 { return request.fail(ACPError(error)) }
            sessions.removeValue(forKey: id)?.close()
            request.succeed()
        }
    }

    // MARK: The list

    /// Sessions of one answer, and pages that are read for it when a folder is asked for.
    private static let pageSize = 50
    private static let mostPages = 20

    func listSessions(_ request: EditorRequest) throws(ACPError) {
        collect([], after: request.params["cursor"]?.stringValue, pages: 1, request)
    }

    private func collect(_ found: [JSON], after cursor: String?, pages: Int, _ request: EditorRequest) {
        var path = "/sessions?limit=\(Door.pageSize)"
        if let cursor { path += "&after=\(PathPart.encode(cursor))" }
        let folder = request.params["cwd"]?.stringValue
        link.call("GET", path) { [self] result in
            switch result {
            case .failure(let error): request.fail(ACPError(error))
            case .success(let page):
                let records = page["sessions"]?.arrayValue ?? []
                let found = found + records.filter { folder == nil || $0["workspace"]?.stringValue == folder }
                let next = page["next"]?.stringValue
                if let next, found.count < Door.pageSize, pages < Door.mostPages, folder != nil {
                    return collect(found, after: next, pages: pages + 1, request)
                }
                var answer: JSONObject = ["sessions": .array(found.compactMap(Door.information))]
                answer["nextCursor"] = next.map { JSON($0) }
                request.succeed(answer)
            }
        }
    }

    private static func information(_ record: JSON) -> JSON? {
        guard let id = record["id"]?.stringValue else { return nil }
        var object: JSONObject = ["sessionId": JSON(id), "cwd": record["workspace"] ?? "/"]
        for (name, own) in [("title", "title"), ("updatedAt", "updatedAt")] {
            if let value = record[own], !value.isNull { object[name] = value }
        }
        object["_meta"] = [
            "codeai-hub": ["providerId": record["providerId"] ?? .null, "status": record["status"] ?? .null]
        ]
        return .object(object)
    }

    // MARK: Parameters

    private static func workspace(of request: EditorRequest) throws(ACPError) -> String {
        let path = try request.text("cwd")
        guard path.isAbsolutePath else { throw .invalidParameters("cwd must be an absolute path, but is \(path)") }
        return path
    }

    /// The names of the MCP servers that the editor offers.
    private static func servers(of request: EditorRequest) -> [String] {
        (request.params["mcpServers"]?.arrayValue ?? []).compactMap { $0["name"]?.stringValue }
    }
}
