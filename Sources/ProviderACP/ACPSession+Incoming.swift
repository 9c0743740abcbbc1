import ACPMessages
import HubProtocol
import JSON
import Providers

/// What the agent says.
extension ACPSession {
    func handle(_ message: ACPMessage) {
        switch message {
        case .result(let id, let result): answered(id, .success(result), message)
        case .failure(let id, let error): answered(id, .failure(error), message)
        case .notification("session/update", let params): update(params)
        case .notification("$/cancel_request", let params): withdraw(params["requestId"] ?? .null)
        case .notification(let method, let params): emit(.custom(type: method, data: params))
        case .request(let id, let method, let params): asked(id, method, params)
        case .unparsed(let text, let length):
            emit(.custom(type: "unparsed_output", data: ["text": JSON(text), "length": JSON(length)]))
        }
    }

    private func answered(_ id: JSON, _ outcome: Result<JSON, ACPError>, _ message: ACPMessage) {
        guard let number = id.intValue, let purpose = outstanding.removeValue(forKey: number) else {
            let data: JSON =
                switch outcome {
                case .success(let result): ["id": id, "result": result]
                case .failure(let error): ["id": id, "code": JSON(error.code), "message": JSON(error.message)]
                }
            return emit(.custom(type: "unexpected_answer", data: data))
        }
        switch (purpose, outcome) {
        case (.initialize, .success(let result)): initialized(result)
        case (.initialize, .failure(let error)): openFailed(error, purpose: purpose)
        case (.newSession, .success(let result)):
            guard let sessionId = result["sessionId"]?.stringValue else {
                return openFailed(ACPError(code: -32603, message: "The agent named no session"), purpose: purpose)
            }
            opened(sessionId, result, replays: false)
        case (.openSession(let sessionId, let replays), .success(let result)):
            opened(sessionId, result, replays: replays)
        case (.newSession, .failure(let error)), (.openSession, .failure(let error)),
            (.forkSession, .failure(let error)), (.openForkSource, .failure(let error)):
            openFailed(error, purpose: purpose)
        case (.forkSession, .success(let result)):
            guard let sessionId = result["sessionId"]?.stringValue else {
                return openFailed(ACPError(code: -32603, message: "The agent named no session"), purpose: purpose)
            }
            // What came before the answer may be the history of the one that was forked.
            early.removeAll { $0["update"].map(ACPDecoder.isConversation) ?? false }
            opened(sessionId, result, replays: false)
            mayReplay = true
        case (.openForkSource, .success): fork()
        case (.authenticate, let outcome): authenticated(outcome)
        case (.prompt, .success(let result)): promptAnswered(result)
        case (.prompt, .failure(let error)): promptFailed(error)
        case (.mode, .success(let result)), (.model, .success(let result)), (.effort, .success(let result)):
            changed(purpose, result)
        case (.mode, .failure(let error)), (.model, .failure(let error)), (.effort, .failure(let error)):
            changeFailed(error)
        }
    }

    // MARK: Updates

    func update(_ params: JSON) {
        guard let update = params["update"], update.objectValue != nil else {
            return emit(.custom(type: "session_update", data: params))
        }
        if let forkSource, params["sessionId"]?.stringValue == forkSource, nativeSessionId != forkSource { return }
        if let nativeSessionId, let sessionId = params["sessionId"]?.stringValue, sessionId != nativeSessionId {
            return emit(.custom(type: "foreign_session_update", data: params))
        }
        let isConversation = ACPDecoder.isConversation(update)
        let isOpening = phase == .initializing || phase == .opening
        if isOpening, nativeSessionId == nil, early.count < ACPSession.maximumEarly { return early.append(params) }
        if isReplayed(update, isConversation) {
            return decodeInPlace { $0.replayed(update, into: &$1) }
        }
        if isConversation {
            if turn == nil { beginUnsentTurn() }
            if turn == .unsent { stillTalking() }
        } else if let options = update["configOptions"] {
            settings.takeOptions(options)
        }
        decodeInPlace { $0.update(update, into: &$1) }
        if let mode = update["currentModeId"]?.stringValue { settings.mode.current = mode }
    }

    /// Whether an update belongs to the history that `session/load` has replayed, which the log has already.
    ///
    /// It should come before the answer, but some agents send it afterwards: until the first prompt is sent everything
    /// counts as history. And when even then somebody else's words turn up in the user's name, a history has begun
    /// that lasts until nothing more comes, or until our own prompt is said back.
    private func isReplayed(_ update: JSON, _ isConversation: Bool) -> Bool {
        switch phase {
        case .opening:
            guard nativeSessionId != nil else { return false }
            if isConversation { hasSeenReplay = true }
            return true
        case .settling:
            if isConversation { stillReplaying() }
            return true
        default: break
        }
        guard mayReplay, isConversation else { return false }
        guard turn != nil else { return true }
        if update["sessionUpdate"]?.stringValue == "user_message_chunk" {
            if decoder.isEcho(update) {
                isSwallowing = false
                disarm(.replay)
            } else {
                isSwallowing = true
            }
        }
        if isSwallowing { stillReplaying() }
        return isSwallowing
    }

    // MARK: Requests

    private func asked(_ id: JSON, _ method: String, _ params: JSON) {
        if let sessionId = params["sessionId"]?.stringValue, sessionId != nativeSessionId, nativeSessionId != nil {
            emit(.custom(type: "foreign_session_request", data: ["method": JSON(method), "params": params]))
            return transport.write(ACPMessage.answer(id, .invalidParameters("\(sessionId) is not this session")))
        }
        switch method {
        case "session/request_permission", "elicitation/create":
            if case .sent(_, isCancelling: true)? = turn {
                let request: Waiting =
                    method == "elicitation/create"
                    ? .question(id: id, form: ElicitationForm(properties: [:]))
                    : .permission(id: id, toolCallId: nil, options: [])
                return answerCancelled(request)
            }
            guard waiting.count < ACPSession.maximumWaiting else {
                return transport.write(
                    ACPMessage.answer(id, .invalidParameters("Too many requests are waiting for an answer")))
            }
            if turn == nil { beginUnsentTurn() }
            if turn == .unsent { stillTalking() }
            method == "elicitation/create" ? askedQuestion(id, params) : askedPermission(id, params)
        default:
            guard let answer = serve(id, method, params) else { return }
            switch answer {
            case .success(let result): transport.write(ACPMessage.answer(id, result))
            case .failure(let error): transport.write(ACPMessage.answer(id, error))
            }
        }
    }

    private func askedPermission(_ id: JSON, _ params: JSON) {
        guard let request = decodeInPlace({ $0.permission(params, into: &$1) }) else {
            emit(.custom(type: "session/request_permission", data: params))
            return transport.write(
                ACPMessage.answer(id, .invalidParameters("toolCall.toolCallId and options are needed")))
        }
        waiting.append(
            (request.requestId, .permission(id: id, toolCallId: request.nativeId, options: request.options)))
        emit(.permissionRequested(request))
    }

    private func askedQuestion(_ id: JSON, _ params: JSON) {
        guard let (request, form) = decodeInPlace({ $0.question(params, into: &$1) }) else {
            emit(.custom(type: "elicitation/create", data: params))
            return transport.write(
                ACPMessage.answer(id, .invalidParameters("Only forms with a message and a schema are served")))
        }
        waiting.append((request.requestId, .question(id: id, form: form)))
        emit(.questionRequested(request))
    }

    /// The agent takes a request of its own back.
    private func withdraw(_ id: JSON) {
        if terminals?.stopWaiting(id) == true { return transport.write(ACPMessage.answer(id, .requestCancelled)) }
        guard let index = waiting.firstIndex(where: { $0.request.id == id }) else { return }
        let requestId = waiting.remove(at: index).requestId
        transport.write(ACPMessage.answer(id, .requestCancelled))
        emit(.requestWithdrawn(requestId: requestId))
    }
}
