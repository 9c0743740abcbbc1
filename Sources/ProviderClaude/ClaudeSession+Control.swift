import Base
import HubProtocol
package import JSON
import Processes
package import Providers

// Control requests, ours and Claude's, and their answers.
extension ClaudeSession {
    package func answerPermission(_ requestId: String, _ decision: PermissionDecision, message: String?) {
        guard let request = requests.removeValue(forKey: requestId) else { return }
        write(ClaudeInput.reply(to: requestId, request.reply(decision, message: message)))
    }

    package func answerQuestion(_ requestId: String, answers: JSONObject?) {
        guard let request = requests.removeValue(forKey: requestId) else { return }
        write(ClaudeInput.reply(to: requestId, request.reply(answers: answers)))
    }

    // MARK: Settings

    package func setModel(_ model: String) {
        conversation.model = model
        if isRunning { ask(.model(model), "set_model", ["model": JSON(model)]) }
    }

    package func setMode(_ mode: String) {
        conversation.mode = mode
        if isRunning { ask(.mode(mode), "set_permission_mode", ["mode": JSON(mode)]) }
    }

    package func setEffort(_ effort: String) {
        conversation.effort = effort
        guard isRunning else { return }
        ask(.effort(effort), "apply_flag_settings", ["settings": ["effortLevel": JSON(effort)]])
    }

    private var isRunning: Bool { phase == .starting || phase == .ready }

    /// Claude passes over a level that it or the model doesn't know without a word, at the start as well.
    private func effortApplied(_ wanted: String, _ applied: String?) {
        // Nil from a version that can't tell.
        let effort = applied ?? wanted
        if effort != wanted {
            conversation.effort = effort
            refused("The effort \(wanted) was not set: \(effort) stays in force")
        } else if effort == decoder.effort {
            return
        }
        decoder.effort = effort
        emit([.status(type: "effort_changed", data: ["effort": JSON(effort)])])
    }

    private func checkEffort() {
        let known = decoder.catalogue.efforts(of: conversation.model)
        guard let effort = conversation.effort, !known.isEmpty, !known.contains(effort) else { return }
        decoder.effort = nil
        ask(.appliedEffort(effort), "get_settings")
    }

    // MARK: Asking

    func ask(_ question: Question, _ subtype: String, _ members: JSONObject = [:]) {
        nextQuestion += 1
        let id = "hub-\(nextQuestion)"
        questions[id] = question
        write(ClaudeInput.control(subtype, id: id, members))
    }

    private func write(_ json: JSON) { child?.write(ClaudeInput.line(json)) }

    private func answered(_ question: Question, _ response: JSON, _ error: String?) {
        switch question {
        case .initialize:
            if let error {
                return finishStart(.providerStartFailed(provider: launch.name, reason: error))
            }
            decoder.catalogue = ClaudeModels(response["models"])
            checkEffort()
            ready()
        case .interrupt: interruptAnswered(response)
        case .withdrawal(let uuid): withdrawalAnswered(uuid, response)
        case .model(let model):
            if let error {
                // So that it isn't asked for again at the next start, and everybody knows what is in force.
                conversation.model = decoder.model
                refused("The model \(model) was not set: \(error)")
                return emit(decoder.model.map { [.status(type: "model_changed", data: ["model": JSON($0)])] } ?? [])
            }
            decoder.noteModel(response["model"]?.stringValue ?? model)
            take(decoder.takeOutput())
        case .mode(let mode):
            if let error {
                conversation.mode = decoder.mode
                refused("The mode \(mode) was not set: \(error)")
                return emit(decoder.mode.map { [.status(type: "mode_changed", data: ["mode": JSON($0)])] } ?? [])
            }
            decoder.noteMode(response["mode"]?.stringValue ?? mode)
            take(decoder.takeOutput())
        case .effort(let effort):
            if let error { return refused("The effort \(effort) was not set: \(error)") }
            ask(.appliedEffort(effort), "get_settings")
        case .appliedEffort(let effort):
            effortApplied(effort, response["applied"]?["effort"]?.stringValue)
        case .plan(let request, var question):
            requests[request.requestId] = request
            let members = [response["plan"], response["content"], response["text"]]
            question.body = members.compactMap { $0?.stringValue }.first
            emit([.questionRequested(question)])
        }
    }

    private func refused(_ reason: String) {
        emit([.error(.invalidRequest(provider: launch.name, message: reason))])
    }

    // MARK: What Claude says

    func received(_ bytes: UnsafeRawBufferPointer) {
        var lines: [LineSplitter.Line] = []
        splitter.feed(bytes) { lines.append($0) }
        // Pieces that arrived together are handed on together: clients' work is by frames.
        var pieces: [NormalizedEvent] = []
        for line in lines {
            let output = decoder.decode(line)
            if output.effects.isEmpty, output.events.allSatisfy(\.isChunk) {
                pieces += output.events
            } else {
                emit(pieces)
                pieces = []
                take(output)
            }
        }
        emit(pieces)
    }

    /// Line by line, since what the delegate does about one line may change what the next one means; only about a piece
    /// of a text it does nothing.
    func take(_ line: LineSplitter.Line) { take(decoder.decode(line)) }

    func take(_ output: ClaudeDecoder.Output) {
        for effect in output.effects { prepare(effect) }
        emit(output.events)
        for effect in output.effects { perform(effect) }
    }

    /// What has to be in place before the delegate hears the events: it may answer at once.
    private func prepare(_ effect: ClaudeDecoder.Effect) {
        switch effect {
        case .requested(let request): requests[request.requestId] = request
        case .withdrawn(let requestId): requests[requestId] = nil
        case .conversationStarted: conversationHasStarted = true
        case .turnEnded: turnEnded()
        default: break
        }
    }

    private func perform(_ effect: ClaudeDecoder.Effect) {
        switch effect {
        case .controlResponse(let id, let response, let error):
            if let question = questions.removeValue(forKey: id) { answered(question, response, error) }
        case .planNeeded(let request, let question):
            ask(.plan(request, question), "get_plan")
        case .withdrawn(let requestId):
            for (id, question) in questions {
                if case .plan(let request, _) = question, request.requestId == requestId { questions[id] = nil }
            }
        case .unsupportedRequest(let requestId, let subtype):
            write(ClaudeInput.refusal(of: requestId, "\(subtype) is not supported by this client"))
        case .resumeFailed(let reason):
            replaceConversation(reason)
        case .requested, .conversationStarted, .turnEnded: break
        }
    }
}

extension NormalizedEvent {
    fileprivate var isChunk: Bool {
        if case .chunk = self { true } else { false }
    }
}
