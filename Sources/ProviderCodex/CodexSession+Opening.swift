import EventLoop
import HubProtocol
import JSON
import Providers

// From a server that is ready to a thread that is.
extension CodexSession {
    func serverReady() {
        guard phase == .waiting, let server else { return }
        phase = .opening
        openTimer = loop.schedule(after: server.limits.startTime) { [weak self] in
            self?.failOpening("it did not open a thread within \(server.limits.startTime)")
        }
        if let mode = wanted.mode, CodexMode.named(mode) == nil { emit(.error(unknownMode(mode))) }
        guard let native = wanted.resumeNativeSessionId else { return startThread() }
        let mode = wanted.mode.flatMap(CodexMode.named)
        if wanted.forksNativeSession {
            let params = CodexInput.fork(native, workspace: wanted.workspace, model: wanted.model, mode: mode)
            return server.ask("thread/fork", params) { [weak self] in self?.opened($0) }
        }
        // One thread can't be two sessions'.
        if server.isTaken(native) { return replace("another session goes on with it") }
        let params = CodexInput.resume(native, workspace: wanted.workspace, model: wanted.model, mode: mode)
        server.ask("thread/resume", params) { [weak self] in self?.opened($0) }
    }

    private func startThread() {
        let params = CodexInput.start(
            workspace: wanted.workspace, model: wanted.model, mode: wanted.mode.flatMap(CodexMode.named))
        server?.ask("thread/start", params) { [weak self] in self?.opened($0) }
    }

    /// The thread that was to be resumed isn't there any more.
    private func replace(_ reason: String) {
        wanted.resumeNativeSessionId = nil
        emit(.error(.resumeFailed(provider: launch.name, message: reason)))
        flush()
        // What the lost thread knew, the new one is told before the prompt that waits for it.
        if let prompt = heldPrompt {
            heldPrompt?.context = delegate?.contextForNewConversation(of: self) ?? prompt.context
        }
        startThread()
    }

    private func opened(_ answer: Result<JSON, CodexError>) {
        guard phase == .opening else { return }
        switch answer {
        case .failure(let error):
            if wanted.resumeNativeSessionId != nil { return replace(error.message) }
            failOpening(error.message)
        case .success(let result):
            guard let id = result["thread"]?["id"]?.stringValue else {
                return failOpening("it opened a thread without an identifier")
            }
            ready(id, result)
        }
    }

    private func ready(_ threadId: String, _ result: JSON) {
        guard let server else { return }
        phase = .ready
        openTimer?.cancel()
        var decoder = CodexDecoder(threadId: threadId, epoch: server.epoch, settings: result)
        collaboration = result["collaborationMode"]?["mode"]?.stringValue ?? "default"
        if let mode = wanted.mode.flatMap(CodexMode.named) {
            decoder.mode = mode.name
            // A thread can't be opened in a collaboration mode.
            if mode.collaboration != collaboration { overrides.mode = mode }
        }
        if let effort = wanted.effort, effort != decoder.effort { overrides.effort = effort }
        self.decoder = decoder
        let model = decoder.model
        var details: JSONObject = [:]
        details["version"] = server.version.map { JSON($0) }
        details["modelProvider"] = result["modelProvider"]
        details["rollout"] = result["thread"]?["path"]
        details["effort"] = (wanted.effort ?? decoder.effort).map { JSON($0) }
        if !server.account.isNull { details["account"] = server.account }
        var session = SessionReady(
            nativeSessionId: threadId, model: model, mode: decoder.mode, availableModels: server.models.map(\.name),
            availableModes: CodexMode.names, details: details)
        session.availableEfforts = server.models.first { $0.name == model }?.efforts ?? []
        emit(.sessionReady(session))
        server.route(threadId, to: self)
        takeHeld()
        sendHeldPrompt()
    }

    private func failOpening(_ reason: String) {
        guard phase == .opening else { return }
        let server = server
        finish(.failedToStart(.providerStartFailed(provider: launch.name, reason: reason)))
        server?.leave(self)
    }
}
