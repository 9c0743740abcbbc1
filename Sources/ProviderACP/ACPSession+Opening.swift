import HubProtocol
import JSON
import Providers

/// From the process to a session that can be talked to.
extension ACPSession {
    func initialize() {
        _ = request(
            "initialize",
            [
                "protocolVersion": 1,
                "clientCapabilities": [
                    "fs": ["readTextFile": false, "writeTextFile": false], "terminal": false,
                    "elicitation": ["form": [:]],
                    // Several agents then send a command's output in pieces, which ACP itself has no way to.
                    "_meta": ["terminal_output": true, "terminal_output_delta": true],
                ],
                "clientInfo": [
                    "name": JSON(configuration.clientName), "title": "CodeAI Hub",
                    "version": JSON(configuration.clientVersion),
                ],
            ], .initialize)
    }

    func initialized(_ result: JSON) {
        guard let version = result["protocolVersion"]?.intValue, version == 1 else {
            let offered = result["protocolVersion"].map { "version \($0)" } ?? "no version"
            return failStart(
                startFailed("it speaks \(offered) of the Agent Client Protocol, this daemon version 1"))
        }
        agent = result
        let offers = result["agentCapabilities"]
        let resumes = offers?["sessionCapabilities"]?["resume"]?.objectValue != nil
        let loads = offers?["loadSession"]?.boolValue ?? false
        capabilities.resume = resumes || loads
        phase = .opening
        guard let known = wanted.resumeNativeSessionId else { return newSession() }
        if resumes {
            open(known, "session/resume", replays: false)
        } else if loads {
            open(known, "session/load", replays: true)
        } else {
            emit(.error(.resumeFailed(provider: configuration.name, message: "it cannot take up earlier sessions")))
            newSession()
        }
    }

    private func open(_ sessionId: String, _ method: String, replays: Bool) {
        // Updates carry the identifier from the first one on.
        nativeSessionId = sessionId
        _ = request(
            method, ["sessionId": JSON(sessionId), "cwd": JSON(wanted.workspace), "mcpServers": []],
            .openSession(sessionId, replays: replays))
    }

    private func newSession() {
        nativeSessionId = nil
        hasSeenReplay = false
        _ = request("session/new", ["cwd": JSON(wanted.workspace), "mcpServers": []], .newSession)
    }

    func opened(_ sessionId: String, _ result: JSON, replays: Bool) {
        disarm(.start)
        nativeSessionId = sessionId
        settings = AgentSettings(result)
        capabilities.modes = !settings.mode.available.isEmpty
        capabilities.models = !settings.model.available.isEmpty
        let (mode, model) = (settings.mode.current, settings.model.current)
        decodeInPlace { decoder, _ in decoder.know(mode: mode, model: model) }
        var details: JSONObject = [:]
        details["agent"] = agent["agentInfo"]
        details["agentCapabilities"] = agent["agentCapabilities"]
        details["authMethods"] = agent["authMethods"]
        details["modes"] = settings.mode.details
        details["models"] = settings.model.details
        emit(
            .sessionReady(
                SessionReady(
                    nativeSessionId: sessionId, model: model, mode: mode, availableModels: settings.model.available,
                    availableModes: settings.mode.available, details: details)))
        mayReplay = replays
        // An agent that has replayed nothing before its answer either has no history or will send it now.
        if replays, !hasSeenReplay {
            phase = .settling
            arm(.replayLimit, .seconds(10)) { $0.settled() }
            stillReplaying()
        } else {
            settled()
        }
    }

    func openFailed(_ error: ACPError, purpose: Purpose) {
        let failure = failure(of: error, provider: configuration.name)
        guard case .openSession = purpose, failure.code != "authentication_failed" else {
            return failStart(failure.code == "invalid_request" ? startFailed(error.message) : failure)
        }
        emit(.error(.resumeFailed(provider: configuration.name, message: error.message)))
        decodeInPlace { decoder, _ in decoder.forgetHistory() }
        newSession()
    }

    /// Another piece of a late history: wait on.
    func stillReplaying() {
        arm(.replay, configuration.replayQuietPeriod) { session in
            session.isSwallowing = false
            if session.phase == .settling { session.settled() }
        }
    }

    private func settled() {
        disarm(.replay)
        disarm(.replayLimit)
        phase = .ready
        let updates = early
        early = []
        for params in updates { update(params) }
        if let mode = wanted.mode, mode != settings.mode.current { change(.mode(mode)) }
        if let model = wanted.model, model != settings.model.current { change(.model(model)) }
        pump()
    }

    /// Ends a process that is of no use.
    func failStart(_ failure: Failure) {
        guard startFailure == nil, !isStopping else { return }
        startFailure = failure
        disarm(.start)
        transport.terminate()
    }

    // MARK: Settings

    func change(_ purpose: Purpose) {
        guard let nativeSessionId else { return }
        let (choice, value, method, key) =
            switch purpose {
            case .mode(let mode): (settings.mode, mode, "session/set_mode", "modeId")
            case .model(let model): (settings.model, model, "session/set_model", "modelId")
            default: (AgentSettings.Choice(), "", "", "")
            }
        guard !choice.available.isEmpty else {
            let what = key == "modeId" ? "modes" : "models"
            return emit(
                .error(
                    .invalidRequest(
                        provider: configuration.name, message: "the agent offers no \(what) to choose from")))
        }
        var params: JSONObject = ["sessionId": JSON(nativeSessionId)]
        if let configId = choice.configId {
            params["configId"] = JSON(configId)
            params["value"] = JSON(value)
            _ = request("session/set_config_option", params, purpose)
        } else {
            params[key] = JSON(value)
            _ = request(method, params, purpose)
        }
    }

    func changed(_ purpose: Purpose, _ result: JSON) {
        settings.takeOptions(result["configOptions"])
        switch purpose {
        case .mode(let mode):
            settings.mode.current = mode
            decodeInPlace { $0.setMode(mode, into: &$1) }
        case .model(let model):
            settings.model.current = model
            decodeInPlace { $0.setModel(model, into: &$1) }
        default: break
        }
        pump()
    }

    func changeFailed(_ error: ACPError) {
        emit(.error(failure(of: error, provider: configuration.name)))
        pump()
    }
}
