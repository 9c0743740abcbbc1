import ACPMessages
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
                    "fs": [
                        "readTextFile": JSON(configuration.servesFiles),
                        "writeTextFile": JSON(configuration.servesFiles),
                    ],
                    "terminal": JSON(terminals != nil),
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
        promptCapabilities = PromptCapabilities(offers?["promptCapabilities"])
        let resumes = offers?["sessionCapabilities"]?["resume"]?.objectValue != nil
        let loads = offers?["loadSession"]?.boolValue ?? false
        capabilities.resume = resumes || loads
        capabilities.fork = offers?["sessionCapabilities"]?["fork"]?.objectValue != nil
        capabilities.images = promptCapabilities.image
        capabilities.resources = promptCapabilities.embeddedContext
        openSession()
    }

    /// Opens the session that is wanted, by the best way that the agent has.
    private func openSession() {
        phase = .opening
        let offers = agent["agentCapabilities"]
        guard let known = wanted.resumeNativeSessionId else { return newSession() }
        if wanted.forksNativeSession {
            if capabilities.fork {
                fork()
            } else {
                cannotTakeUp("it cannot fork sessions")
            }
        } else if offers?["sessionCapabilities"]?["resume"]?.objectValue != nil {
            open(known, "session/resume", replays: false)
        } else if offers?["loadSession"]?.boolValue == true {
            open(known, "session/load", replays: true)
        } else {
            cannotTakeUp("it cannot take up earlier sessions")
        }
    }

    func fork() {
        guard let known = wanted.resumeNativeSessionId else { return }
        nativeSessionId = nil
        hasSeenReplay = false
        _ = request("session/fork", params(known), .forkSession)
    }

    private func cannotTakeUp(_ reason: String) {
        emit(.error(.resumeFailed(provider: configuration.name, message: reason)))
        decodeInPlace { decoder, _ in decoder.forgetHistory() }
        newSession()
    }

    private func params(_ sessionId: String) -> JSONObject {
        ["sessionId": JSON(sessionId), "cwd": JSON(wanted.workspace), "mcpServers": []]
    }

    private func open(_ sessionId: String, _ method: String, replays: Bool) {
        // Updates carry the identifier from the first one on.
        nativeSessionId = sessionId
        hasSeenReplay = false
        _ = request(method, params(sessionId), .openSession(sessionId, replays: replays))
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
        capabilities.effort = !settings.effort.available.isEmpty
        let (mode, model, effort) = (settings.mode.current, settings.model.current, settings.effort.current)
        decodeInPlace { decoder, _ in decoder.know(mode: mode, model: model, effort: effort) }
        var details: JSONObject = [:]
        details["agent"] = agent["agentInfo"]
        details["agentCapabilities"] = agent["agentCapabilities"]
        details["authMethods"] = agent["authMethods"]
        details["modes"] = settings.mode.details
        details["models"] = settings.model.details
        details["efforts"] = settings.effort.details
        details["effort"] = effort.map { JSON($0) }
        emit(
            .sessionReady(
                SessionReady(
                    nativeSessionId: sessionId, model: model, mode: mode, availableModels: settings.model.available,
                    availableModes: settings.mode.available, availableEfforts: settings.effort.available,
                    details: details)))
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
        if failure.code == "authentication_failed" { return logIn(failure) }
        switch purpose {
        // mistral-vibe forks only what this process has open.
        case .forkSession where forkSource == nil && capabilities.resume:
            guard let known = wanted.resumeNativeSessionId else { return cannotTakeUp(error.message) }
            forkSource = known
            let resumes = agent["agentCapabilities"]?["sessionCapabilities"]?["resume"]?.objectValue != nil
            _ = request(resumes ? "session/resume" : "session/load", params(known), .openForkSource)
        case .openSession, .forkSession, .openForkSource: cannotTakeUp(error.message)
        default: failStart(failure.code == "invalid_request" ? startFailed(error.message) : failure)
        }
    }

    // MARK: Logging in

    /// Logs in by a way that needs no person, once; where there is none the person has to.
    private func logIn(_ failure: Failure) {
        guard !hasAuthenticated, let method = methodWithoutPerson else { return failStart(withMethods(failure)) }
        hasAuthenticated = true
        _ = request("authenticate", ["methodId": JSON(method)], .authenticate)
    }

    func authenticated(_ outcome: Result<JSON, ACPError>) {
        switch outcome {
        case .success: openSession()
        case .failure(let error):
            failStart(
                withMethods(.authenticationFailed(provider: configuration.name, message: error.message)))
        }
    }

    /// One that takes what is in the agent's environment: it says so (`env_var`), or the manifest does.
    private var methodWithoutPerson: String? {
        let isSet = { [configuration] (name: String) in !(configuration.environment[name] ?? "").isEmpty }
        for method in agent["authMethods"]?.arrayValue ?? [] {
            guard let id = method["id"]?.stringValue else { continue }
            if let variables = configuration.authentication[id] {
                if variables.allSatisfy(isSet) { return id }
            } else if method["type"]?.stringValue == "env_var", let variables = method["vars"]?.arrayValue {
                let needed = variables.filter { $0["optional"]?.boolValue != true }
                if needed.allSatisfy({ $0["name"]?.stringValue.map(isSet) ?? false }) { return id }
            }
        }
        return nil
    }

    /// The failure with the ways to log in that the agent has.
    func withMethods(_ failure: Failure) -> Failure {
        var failure = failure
        failure.details["authMethods"] = agent["authMethods"]
        return failure
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
        if let effort = wanted.effort, effort != settings.effort.current { change(.effort(effort)) }
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
            case .effort(let effort): (settings.effort, effort, "", "effortId")
            default: (AgentSettings.Choice(), "", "", "")
            }
        guard !choice.available.isEmpty else {
            let what = key == "modeId" ? "modes" : key == "modelId" ? "models" : "efforts"
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
        case .effort(let effort):
            settings.effort.current = effort
            decodeInPlace { $0.setEffort(effort, into: &$1) }
        default: break
        }
        pump()
    }

    func changeFailed(_ error: ACPError) {
        emit(.error(failure(of: error, provider: configuration.name)))
        pump()
    }
}
