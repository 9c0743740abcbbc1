import ACPMessages
import Base
import Client
import EventLoop
import JSON

/// A prompt of the editor's whose turn has not ended.
final class DoorPrompt {
    let request: EditorRequest
    let clientMessageId = "acp-" + randomUUID()
    /// Its turn, as soon as the daemon has said which.
    var turnId: String?
    var hasBegun = false
    /// The editor doesn't want it any more.
    var isCancelled = false
    /// The newest error of its turn.
    var failure: JSONObject?
    /// Runs while a failed turn's message may yet be tried with another provider.
    var verdict: LoopTimer?

    init(_ request: EditorRequest) {
        self.request = request
    }
}

extension DoorSession {
    /// Prompts of one editor in one session that may wait.
    private static let promptLimit = 32
    /// How long a turn that failed may take to be begun anew with another provider; the daemon does both at once.
    private static let fallbackPause = Duration.milliseconds(250)

    func prompt(_ request: EditorRequest) throws(ACPError) {
        guard prompts.count < DoorSession.promptLimit else {
            throw ACPError(code: -32603, message: "\(prompts.count) prompts wait in this session already")
        }
        let (text, attachments) = try EditorPrompt.read(request.params["prompt"])
        let prompt = DoorPrompt(request)
        prompts.append(prompt)
        var body: JSONObject = ["content": JSON(text), "clientMessageId": JSON(prompt.clientMessageId)]
        if !attachments.isEmpty { body["attachments"] = .array(attachments) }
        door.link.call("POST", "/sessions/\(id)/messages", .object(body)) { [weak self] result in
            switch result {
            case .success(let answer):
                guard let turnId = answer["turnId"]?.stringValue else { return }
                self?.bind(prompt, to: turnId)
            case .failure(let error):
                self?.remove(prompt)
                prompt.request.fail(ACPError(error))
            }
        }
    }

    /// Which turn it is comes by the answer and by the log, in whatever order.
    private func bind(_ prompt: DoorPrompt, to turnId: String) {
        guard prompt.turnId == nil else { return }
        prompt.turnId = turnId
        if prompt.isCancelled { stop(prompt) }
    }

    private func remove(_ prompt: DoorPrompt) {
        prompt.verdict?.cancel()
        prompts.removeAll { $0 === prompt }
    }

    private func answer(_ prompt: DoorPrompt, _ stopReason: String, usage: JSON? = nil) {
        remove(prompt)
        var result: JSONObject = ["stopReason": JSON(stopReason)]
        result["usage"] = usage
        prompt.request.succeed(result)
    }

    func failPrompts(_ error: ACPError) {
        let failed = prompts
        prompts = []
        for prompt in failed {
            prompt.verdict?.cancel()
            prompt.request.fail(error)
        }
    }

    // MARK: Cancelling

    /// `session/cancel`: ends what runs, whoever began it, and withdraws what of this editor waits.
    func cancel() {
        guard !prompts.isEmpty else { return interrupt() }
        for prompt in prompts { cancel(prompt) }
    }

    /// `$/cancel_request` of one prompt.
    func cancel(requestId: JSON) {
        if let prompt = prompts.first(where: { $0.request.id == requestId }) { cancel(prompt) }
    }

    private func cancel(_ prompt: DoorPrompt) {
        guard !prompt.isCancelled else { return }
        prompt.isCancelled = true
        if prompt.turnId != nil { stop(prompt) }
    }

    private func stop(_ prompt: DoorPrompt) {
        guard let turnId = prompt.turnId else { return }
        door.link.call("DELETE", "/sessions/\(id)/messages/\(PathPart.encode(turnId))") { [weak self] result in
            switch result {
            // It hadn't begun, and never will.
            case .success:
                if self?.prompts.contains(where: { $0 === prompt }) == true { self?.answer(prompt, "cancelled") }
            case .failure: self?.interrupt()
            }
        }
    }

    private func interrupt() {
        door.link.call("POST", "/sessions/\(id)/interrupt") { _ in }
    }

    /// `session/close`: as the protocol wants it, what the editor began is ended.
    func endedByEditor(_ request: EditorRequest) {
        for prompt in prompts {
            stop(prompt)
            answer(prompt, "cancelled")
        }
        door.sessions[id] = nil
        close()
        request.succeed()
    }

    // MARK: What the log says about them

    /// Whether this is a prompt of the editor's.
    func noteOwnMessage(_ event: LogEvent) -> Bool {
        guard let clientMessageId = event.data["clientMessageId"]?.stringValue,
            let prompt = prompts.first(where: { $0.clientMessageId == clientMessageId })
        else { return false }
        if let turnId = event.turnId { bind(prompt, to: turnId) }
        return true
    }

    /// Whether the error will be the answer to a prompt of the editor's.
    func noteFailure(_ event: LogEvent) -> Bool {
        guard let prompt = prompts.first(where: { $0.turnId == event.turnId && event.turnId != nil }) else {
            return false
        }
        prompt.failure = event.data
        return true
    }

    /// A prompt was taken back by somebody, or its message is tried again as another turn.
    func followMessage(_ event: LogEvent) {
        let turnId = event.data["turnId"]?.stringValue
        switch event.data["type"]?.stringValue {
        case "queue_held" where prompts.contains { !$0.hasBegun }:
            note("Your message waits: the queue is held. To let it go on: `codeai-hub resume \(id)`")
        case "withdrawn":
            if let turnId, let prompt = prompts.first(where: { $0.turnId == turnId }) { answer(prompt, "cancelled") }
        case "retry":
            guard let former = event.data["retryOf"]?.stringValue,
                let prompt = prompts.first(where: { $0.turnId == former })
            else { return }
            prompt.verdict?.cancel()
            prompt.verdict = nil
            prompt.failure = nil
            prompt.turnId = turnId
        default: break
        }
    }

    func began(_ event: LogEvent) {
        prompts.first { $0.turnId == event.turnId }?.hasBegun = true
    }

    func completed(_ event: LogEvent, isSynthetic: Bool) {
        guard let prompt = prompts.first(where: { $0.turnId == event.turnId && event.turnId != nil }) else { return }
        switch event.data["status"]?.stringValue {
        case "interrupted" where isSynthetic && !prompt.isCancelled:
            remove(prompt)
            prompt.request.fail(
                ACPError(
                    code: -32603, message: "The daemon ended in the middle of this turn; it runs again: ask once more",
                    data: ["code": "interrupted"]))
        case "interrupted": answer(prompt, "cancelled")
        case "failed":
            prompt.verdict = door.loop.schedule(after: DoorSession.fallbackPause) { [weak self] in
                self?.remove(prompt)
                prompt.request.fail(ACPError(turnFailure: prompt.failure))
            }
        default:
            answer(
                prompt, Narrator.stopReason(event.data["stopReason"]?.stringValue),
                usage: Narrator.tokens(event.data["usage"]))
        }
    }
}
