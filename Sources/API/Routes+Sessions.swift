import Base
import EventLog
import HTTP1
import HubProtocol
import JSON
import Sessions

/// Sessions over HTTP.
extension APIHandler {
    func addSessionRoutes(to router: inout Router) {
        router.add(.get, "sessions", query: ["limit", "after", "status", "q", "archived"]) {
            [self] request throws(Failure) in
            try listSessions(request)
        }
        router.add(.post, "sessions") { [self] request throws(Failure) in
            let session = try service.create(
                SessionCommands.creation(request.fields(), service.settings), by: request.client)
            let location = [("Location", "/api/v1/sessions/\(session.id)")]
            return .kept(session, .json(201, .object(record(of: session)), headers: location))
        }
        router.add(.get, "sessions/*") { [self] request throws(Failure) in
            let session = try service.session(request.parameters[0])
            return .json(200, .object(record(of: session)))
        }
        router.add(.patch, "sessions/*") { [self] request throws(Failure) in try changeSession(request) }
        router.add(.delete, "sessions/*", produces: []) { [self] request throws(Failure) in
            try service.delete(request.parameters[0], by: request.client)
            return .empty(204)
        }
        router.add(.post, "sessions/*/undelete") { [self] request throws(Failure) in
            let sessionId = request.parameters[0]
            return .later { [self] done in
                service.undelete(sessionId, by: request.client) { [self] result in
                    done(result.map { .kept($0, .json(200, .object(record(of: $0)))) })
                }
            }
        }
        router.add(.put, "sessions/*/draft") { [self] request throws(Failure) in
            let sessionId = request.parameters[0]
            return .json(
                200, try SessionCommands.draft(request.fields(), in: sessionId, of: service, by: request.client))
        }
        router.add(.post, "sessions/*/messages") { [self] request throws(Failure) in
            let session = try service.session(request.parameters[0])
            let accepted = try SessionCommands.accept(request.fields(), in: session, by: request.client)
            return .kept(session, .json(202, .object(accepted.json)))
        }
        router.add(.delete, "sessions/*/messages/*", produces: []) { [self] request throws(Failure) in
            let session = try service.session(request.parameters[0])
            try session.withdraw(request.parameters[1], by: request.client)
            return .kept(session, .empty(204))
        }
        router.add(.post, "sessions/*/interrupt") { [self] request throws(Failure) in
            let session = try service.session(request.parameters[0])
            return .kept(session, .json(202, ["interrupting": JSON(session.interrupt(by: request.client))]))
        }
        router.add(.post, "sessions/*/stop") { [self] request throws(Failure) in
            let session = try service.session(request.parameters[0])
            session.stop(by: request.client)
            return .kept(session, .json(202, [:]))
        }
        router.add(.post, "sessions/*/resume") { [self] request throws(Failure) in
            let session = try service.session(request.parameters[0])
            session.resume(by: request.client)
            return .kept(session, .json(202, [:]))
        }
        router.add(.post, "sessions/*/pause") { [self] request throws(Failure) in
            let session = try service.session(request.parameters[0])
            try session.pause(by: request.client)
            return .kept(session, .json(202, [:]))
        }
        router.add(.post, "sessions/*/provider") { [self] request throws(Failure) in
            let session = try service.session(request.parameters[0])
            try SessionCommands.switchProvider(request.fields(), in: session, by: request.client)
            return .kept(session, .json(200, .object(record(of: session))))
        }
        router.add(.post, "sessions/*/retry") { [self] request throws(Failure) in
            let session = try service.session(request.parameters[0])
            let result = try SessionCommands.retry(request.fields(), in: session, by: request.client)
            return .kept(session, .json(202, .object(result)))
        }
        router.add(.patch, "sessions/*/queue") { [self] request throws(Failure) in
            let session = try service.session(request.parameters[0])
            try SessionCommands.reorder(request.fields(), in: session, by: request.client)
            return .kept(session, .json(200, .object(record(of: session))))
        }
        router.add(.post, "sessions/*/permissions/*") { [self] request throws(Failure) in
            let session = try service.session(request.parameters[0])
            let result = try SessionCommands.answerPermission(
                request.fields(), requestId: request.parameters[1], in: session, by: request.client)
            return .kept(session, .json(200, .object(result)))
        }
        router.add(.post, "sessions/*/questions/*") { [self] request throws(Failure) in
            let session = try service.session(request.parameters[0])
            let result = try SessionCommands.answerQuestion(
                request.fields(), requestId: request.parameters[1], in: session, by: request.client)
            return .kept(session, .json(200, .object(result)))
        }
        router.add(
            .get, "sessions/*/events", query: ["after", "before", "limit", "chunks"],
            produces: [MediaTypes.json, MediaTypes.eventStream]
        ) { [self] request throws(Failure) in try events(request) }
    }

    func record(of session: Session) -> JSONObject {
        var record = service.record(of: session.shown)
        record["messages"] = .array(session.newestMessages())
        record["draft"] = service.drafts[session.id]?.record ?? .null
        return record
    }

    private func listSessions(_ request: APIRequest) throws(Failure) -> APIReply {
        let limit = try request.query.number("limit", in: 1...1000) ?? 100
        var filter = SessionService.ListFilter(text: try request.query.string("q"))
        if let name = try request.query.string("status") {
            guard let status = SessionState.Status(rawValue: name) else {
                throw Failure(
                    code: "invalid_request", message: "status is idle, running, waiting, failed or parked.",
                    details: ["field": "status"])
            }
            filter.status = status
        }
        if let text = try request.query.string("archived") {
            guard let isArchived = Bool(text) else {
                throw Failure(
                    code: "invalid_request", message: "archived is true or false.", details: ["field": "archived"])
            }
            filter.isArchived = isArchived
        }
        let (page, hasMore) = try service.list(after: request.query.string("after"), limit: limit, filter)
        var answer: JSONObject = ["sessions": .array(page.map { .object(service.record(of: $0)) })]
        if hasMore { answer["next"] = page.last.map { JSON($0.sessionId) } }
        return .json(200, .object(answer))
    }

    private func changeSession(_ request: APIRequest) throws(Failure) -> APIReply {
        let fields = try request.fields()
        let title = try fields.string("title")
        let tags = try fields.strings("tags")
        let choice = try SessionCommands.choice(fields)
        let members = try fields.strings("providerIds")?.map(ProviderID.resolve)
        let changesBudget = fields.has("budgetUsd")
        let budget = try fields.double("budgetUsd", in: 0...Session.maxBudgetUsd)
        let isArchived = try fields.bool("archived")
        guard
            title != nil || tags != nil || members != nil || changesBudget || isArchived != nil
                || choice != SessionState.Choice()
        else {
            throw Failure(
                code: "missing_field",
                message: "Nothing to change: give title, tags, model, mode, effort, providerIds, budgetUsd or archived."
            )
        }
        let session = try service.session(request.parameters[0])
        // All are checked before the first is applied: a bad field changes nothing.
        try Session.check(title: title, tags: tags, choice)
        if let members { try session.invite(members, by: request.client) }
        if let title { try session.rename(title, by: request.client) }
        if let tags { try session.setTags(tags, by: request.client) }
        if let model = choice.model { try session.setModel(model, by: request.client) }
        if let mode = choice.mode { try session.setMode(mode, by: request.client) }
        if let effort = choice.effort { try session.setEffort(effort, by: request.client) }
        if changesBudget { try session.setBudget(budget, by: request.client) }
        if let isArchived { try session.setArchived(isArchived, by: request.client) }
        return .kept(session, .json(200, .object(record(of: session))))
    }

    private func events(_ request: APIRequest) throws(Failure) -> APIReply {
        let session = try service.session(request.parameters[0])
        let after = try request.query.number("after", in: 0...Int.max)
        let chunks = try request.query.string("chunks") ?? "true"
        guard chunks == "true" || chunks == "false" else {
            throw Failure(code: "invalid_request", message: "chunks is true or false.", details: ["field": "chunks"])
        }
        let wantsStream = request.headers["accept"]?.lowercased().contains(text: "text/event-stream") == true
        if wantsStream, request.method != .head {
            return try eventStream(request, session, after: after, wantsChunks: chunks == "true")
        }
        let limit = try request.query.number("limit", in: 1...SessionCommands.pageLimit) ?? 100
        if let before = try request.query.number("before", in: 1...Int.max) {
            guard after == nil else {
                throw Failure(code: "invalid_request", message: "Give after or before, not both.")
            }
            return .json(200, try SessionCommands.page(before: before, limit: limit, in: session))
        }
        return .text(200, contentType: "application/json", try page(of: session, after: after ?? 0, limit: limit))
    }

    /// The page after a cursor, with the records' lines as they stand in the log.
    private func page(of session: Session, after: Int, limit: Int) throws(Failure) -> [UInt8] {
        let log = session.log
        var bytes = Array(#"{"events":["#.utf8)
        var cursor = after
        var count = 0
        do throws(LogError) {
            while count < limit, bytes.count < SessionCommands.pageBytes, cursor < log.committedSeq {
                let slice = try log.read(after: cursor, maxBytes: 256 << 10)
                guard let last = slice.lastSeq else {
                    // Nothing readable follows.
                    cursor = log.committedSeq
                    break
                }
                for line in slice.lines where count < limit && bytes.count < SessionCommands.pageBytes {
                    if count > 0 { bytes.append(UInt8(ascii: ",")) }
                    bytes.append(contentsOf: slice.block[line.range])
                    count += 1
                    cursor = line.seq
                }
                if slice.isLast || cursor < last { break }
            }
        } catch {
            throw Session.unreadable(error)
        }
        bytes.append(contentsOf: #"],"lastSeq":\#(log.committedSeq),"hasMore":\#(cursor < log.committedSeq)}"#.utf8)
        return bytes
    }

    private func eventStream(
        _ request: APIRequest, _ session: Session, after: Int?, wantsChunks: Bool
    ) throws(Failure) -> APIReply {
        var after = after
        if let last = request.headers["last-event-id"] {
            guard let seq = Int(last), seq >= 0 else {
                throw Failure(
                    code: "invalid_request", message: "Last-Event-ID must be a seq.",
                    details: ["field": "Last-Event-ID"])
            }
            after = seq
        }
        try requireRoom()
        let cursor = after ?? 0
        let sessionId = session.id
        return .eventStream(request.client) { client, stream in
            client.begin(stream, sessionId: sessionId, after: cursor, wantsChunks: wantsChunks)
        }
    }
}
