import Base
import EventLog
import HubProtocol
import JSON
import Sessions

/// What HTTP and the WebSocket both let clients do with a session: the same fields, the same checks, the same answers.
enum SessionCommands {
    static func creation(_ fields: Fields, _ settings: SessionSettings) throws(Failure) -> SessionService.Creation {
        var creation = SessionService.Creation(
            providerId: ProviderID.resolve(try fields.requiredString("providerId")),
            workspace: try fields.string("workspace") ?? settings.defaultWorkspace)
        creation.providerIds = try (fields.strings("providerIds") ?? []).map(ProviderID.resolve)
        creation.choice = try choice(fields)
        creation.title = try fields.string("title")
        creation.tags = try fields.strings("tags") ?? []
        creation.settings = try fields.object("settings") ?? [:]
        return creation
    }

    /// What a provider is to be set to.
    static func choice(_ fields: Fields) throws(Failure) -> SessionState.Choice {
        SessionState.Choice(
            model: try fields.string("model"), mode: try fields.string("mode"), effort: try fields.string("effort"))
    }

    /// `{providerId, model?, mode?, effort?, retry?}`.
    static func switchProvider(_ fields: Fields, in session: Session, by client: ClientIdentity) throws(Failure) {
        let providerId = ProviderID.resolve(try fields.requiredString("providerId"))
        let retries = try fields.bool("retry") ?? false
        try session.switchProvider(to: providerId, choice(fields), by: client)
        // Nothing to retry is no error here: the provider is switched all the same.
        if retries, session.state.unfinished != nil { _ = try session.retry(by: client) }
    }

    /// `{}` for at once; `{later: true}`, `{after: SECONDS}` or `{at: TIME}` for later.
    static func retry(_ fields: Fields, in session: Session, by client: ClientIdentity) throws(Failure) -> JSONObject {
        let after = try fields.int("after", in: 0...366 * 86_400)
        let at = try fields.string("at")
        let isLater = try fields.bool("later") ?? (after != nil || at != nil)
        guard after == nil || at == nil, isLater || (after == nil && at == nil) else {
            throw Failure(code: "invalid_request", message: "Give after or at, not both, and not with later: false.")
        }
        guard isLater else { return try session.retry(by: client).json }
        var time = after.map { Timestamp(milliseconds: session.now.milliseconds + Int64($0) * 1000) }
        if let at {
            guard let parsed = Timestamp(at) else {
                throw Failure(
                    code: "invalid_request", message: "at must be a time such as 2026-11-21T10:00:00.000Z.",
                    details: ["field": "at"])
            }
            time = parsed
        }
        return ["parked": try session.retryLater(at: time, by: client).record]
    }

    /// `{order: [turnId]}`.
    static func reorder(_ fields: Fields, in session: Session, by client: ClientIdentity) throws(Failure) {
        try session.reorderQueue(fields.required("order", fields.strings("order")), by: client)
    }

    static func accept(_ fields: Fields, in session: Session, by client: ClientIdentity) throws(Failure)
        -> AcceptedMessage
    {
        let attachments = try fields.array("attachments") ?? []
        let content = try fields.string("content")
        if attachments.isEmpty { _ = try fields.required("content", content) }
        let clientMessageId = try fields.string("clientMessageId")
        if let clientMessageId, !(1...128).contains(clientMessageId.unicodeScalars.count) {
            throw Failure(
                code: "invalid_request", message: "clientMessageId has 1 to 128 characters (code points).",
                details: ["field": "clientMessageId"])
        }
        let modeName = try fields.string("mode") ?? "queue"
        guard let mode = MessageMode(rawValue: modeName) else {
            throw Failure(
                code: "invalid_request", message: "mode is \"queue\", \"steer\" or \"reject\".",
                details: ["field": "mode"])
        }
        return try session.accept(
            IncomingMessage(
                content ?? "", attachments: attachments, clientMessageId: clientMessageId, mode: mode,
                providerId: try fields.string("providerId").map(ProviderID.resolve)), by: client)
    }

    /// `{optionId, message?}`, or `{outcome: "cancelled"}`.
    static func answerPermission(
        _ fields: Fields, requestId: String? = nil, in session: Session, by client: ClientIdentity
    ) throws(Failure) -> JSONObject {
        let requestId = try fields.requiredString("requestId", unless: requestId)
        let optionId = try fields.string("optionId")
        if optionId == nil, try fields.string("outcome") != "cancelled" {
            throw Failure(
                code: "missing_field", message: "optionId is missing (or outcome: \"cancelled\").",
                details: ["field": "optionId"])
        }
        return try session.answerPermission(
            requestId, optionId: optionId, message: fields.string("message"), by: client)
    }

    /// `{answers}`, or `{outcome: "declined"}`.
    static func answerQuestion(
        _ fields: Fields, requestId: String? = nil, in session: Session, by client: ClientIdentity
    ) throws(Failure) -> JSONObject {
        let requestId = try fields.requiredString("requestId", unless: requestId)
        let answers = try fields.object("answers")
        if answers == nil, try fields.string("outcome") != "declined" {
            throw Failure(
                code: "missing_field", message: "answers is missing (or outcome: \"declined\").",
                details: ["field": "answers"])
        }
        return try session.answerQuestion(requestId, answers: answers, by: client)
    }

    /// `{text}`: what somebody has written so far and not sent.
    static func draft(
        _ fields: Fields, in sessionId: String, of service: SessionService, by client: ClientIdentity
    ) throws(Failure) -> JSON {
        let text = try fields.requiredString("text")
        return ["updatedAt": JSON(try service.setDraft(text, in: sessionId, by: client).description)]
    }

    static let pageLimit = 1000
    /// A page ends early with the event that reaches this, so that no request can hold the loop or the memory for long.
    static let pageBytes = 4 << 20

    /// The page before a cursor, oldest first.
    static func history(_ fields: Fields, in session: Session) throws(Failure) -> JSON {
        let before = try fields.int("beforeSeq", in: 1...Int.max)
        let limit = try fields.int("limit", in: 1...pageLimit) ?? 100
        return try page(before: before, limit: limit, in: session)
    }

    static func page(before: Int?, limit: Int, in session: Session) throws(Failure) -> JSON {
        do throws(LogError) {
            let page = try session.log.page(before: before ?? .max, limit: limit)
            var answer: JSONObject = [
                "events": .array(page.records.map(\.json)), "lastSeq": JSON(session.log.committedSeq),
                "hasMore": JSON(page.next != nil),
            ]
            answer["next"] = page.next.map { JSON($0) }
            return .object(answer)
        } catch {
            throw Session.unreadable(error)
        }
    }
}
