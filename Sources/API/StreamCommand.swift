import EventLog
import HubProtocol
import JSON
import Sessions

/// What a command led to: its result, and the session whose log must keep it before the client may hear of it.
struct CommandReply {
    var result: JSON?
    var session: Session?
    /// What takes longer answers by itself.
    private var later: ((@escaping (Result<JSON?, Failure>) -> Void) throws(Failure) -> Void)?

    /// It is carried out only when its end is asked for.
    var isLater: Bool { later != nil }

    init(_ result: JSON? = nil, keptBy session: Session? = nil) {
        self.result = result
        self.session = session
    }

    init(later: @escaping (@escaping (Result<JSON?, Failure>) -> Void) throws(Failure) -> Void) { self.later = later }

    /// Runs when what was done is in the file: an answer that a crash could make untrue is not given.
    func whenKept(_ body: @escaping (Result<JSON?, Failure>) -> Void) {
        if let later {
            do throws(Failure) { try later(body) } catch { body(.failure(error)) }
            return
        }
        guard let session else { return body(.success(result)) }
        session.whenAnswerable { [result] in
            body(.success(result))
        } orElse: {
            body(.failure($0))
        }
    }
}

/// A frame from a client, checked and carried out.
struct StreamCommand {
    let type: String
    let fields: Fields

    func run(on client: StreamClient) throws(Failure) -> CommandReply {
        let by = client.identity
        switch type {
        case "client:hello": return try hello(client)
        case "session:create":
            let service = client.hub.service
            let session = try service.create(SessionCommands.creation(fields, service.settings), by: by)
            var record = service.record(of: session.shown)
            record["messages"] = []
            return CommandReply(.object(record), keptBy: session)
        case "session:message":
            let session = try session(client)
            let accepted = try SessionCommands.accept(fields, in: session, by: by)
            return CommandReply(.object(accepted.json), keptBy: session)
        case "session:interrupt":
            let session = try session(client)
            return CommandReply(["interrupting": JSON(session.interrupt(by: by))], keptBy: session)
        case "session:stop":
            let session = try session(client)
            session.stop(by: by)
            return CommandReply(keptBy: session)
        case "session:resume":
            let session = try session(client)
            session.resume(by: by)
            return CommandReply(keptBy: session)
        case "session:pause":
            let session = try session(client)
            try session.pause(by: by)
            return CommandReply(keptBy: session)
        case "session:provider":
            let session = try session(client)
            try SessionCommands.switchProvider(fields, in: session, by: by)
            return CommandReply(keptBy: session)
        case "session:retry":
            let session = try session(client)
            return CommandReply(.object(try SessionCommands.retry(fields, in: session, by: by)), keptBy: session)
        case "session:queue":
            let session = try session(client)
            try SessionCommands.reorder(fields, in: session, by: by)
            return CommandReply(keptBy: session)
        case "session:withdraw":
            let session = try session(client)
            try session.withdraw(fields.requiredString("turnId"), by: by)
            return CommandReply(keptBy: session)
        case "session:fork":
            let session = try session(client)
            let seq = try fields.int("atSeq", in: 1...Int.max)
            let title = try fields.string("title")
            let service = client.hub.service
            return CommandReply { done throws(Failure) in
                try service.imports.fork(session, atSeq: seq, title: title, by: by) { result in
                    done(result.map { .object(service.record(of: $0.session.shown)) })
                }
            }
        case "session:rename":
            let session = try session(client)
            try session.rename(fields.requiredString("title"), by: by)
            return CommandReply(keptBy: session)
        case "session:draft":
            let sessionId = try fields.requiredString("sessionId")
            return CommandReply(try SessionCommands.draft(fields, in: sessionId, of: client.hub.service, by: by))
        case "session:delete":
            try client.hub.service.delete(fields.requiredString("sessionId"), by: by)
            return CommandReply()
        case "session:history":
            return CommandReply(try SessionCommands.history(fields, in: session(client)))
        case "search":
            let hub = client.hub
            let search = try SearchCommand(fields)
            return CommandReply { done throws(Failure) in try search.run(hub) { done($0.map { .object($0) }) } }
        case "permission:respond":
            let session = try session(client)
            return CommandReply(
                .object(try SessionCommands.answerPermission(fields, in: session, by: by)), keptBy: session)
        case "question:respond":
            let session = try session(client)
            return CommandReply(
                .object(try SessionCommands.answerQuestion(fields, in: session, by: by)), keptBy: session)
        case "settings:update":
            let settings = try fields.required("settings", fields.object("settings"))
            let context = client.hub.context
            return CommandReply { done in
                context.changeSettings(settings, by: by) { result in done(result.map { .object($0) }) }
            }
        case "provider:update":
            let id = ProviderID.resolve(try fields.requiredString("providerId"))
            let isEnabled = try fields.required("enabled", fields.bool("enabled"))
            return CommandReply(.object(try client.hub.setProvider(id, enabled: isEnabled, by: by)))
        default:
            throw Failure(code: "unknown_type", message: "There is no frame type \"\(type.prefix(64))\".")
        }
    }

    private func session(_ client: StreamClient) throws(Failure) -> Session {
        try client.hub.service.session(fields.requiredString("sessionId"))
    }

    private func hello(_ client: StreamClient) throws(Failure) -> CommandReply {
        if let version = try fields.int("protocol", in: 0...Int.max), version != 1 {
            throw Failure(code: "invalid_request", message: "This daemon speaks protocol 1, not \(version).")
        }
        var cursors: [(sessionId: String, after: Int)]?
        if let resume = try fields.object("resume") {
            var list: [(sessionId: String, after: Int)] = []
            for (sessionId, value) in resume {
                guard let after = value.intValue, after >= 0 else {
                    throw Failure(
                        code: "invalid_request", message: "resume maps session ids to the last seq, 0 or more.",
                        details: ["field": "resume"])
                }
                list.append((sessionId, after))
            }
            cursors = list
        }
        let name = ClientIdentity.name(try fields.string("name"))
        client.greet(
            name: name, selection: try selection(), chunks: try fields.bool("chunks"),
            cursors: cursors)
        return CommandReply(["clientId": JSON(client.identity.id)])
    }

    private func selection() throws(Failure) -> ClientFeed.Selection? {
        switch fields["subscribe"] {
        case nil: return nil
        case .string("all")?: return .all
        case .array?:
            return .only(Set(try fields.strings("subscribe") ?? []))
        default:
            throw Failure(
                code: "invalid_request", message: "subscribe is \"all\" or an array of session ids.",
                details: ["field": "subscribe"])
        }
    }
}
