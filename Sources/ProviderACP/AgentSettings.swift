import JSON

/// The modes, models and efforts that an agent offers, and how it wants to be told.
struct AgentSettings: Equatable {
    struct Choice: Equatable {
        var current: String?
        var available: [String] = []
        /// The configuration option that stands for it; nil: a method of its own.
        var configId: String?
        /// Names and descriptions as the agent gave them.
        var details: JSON?
    }

    var mode = Choice()
    var model = Choice()
    /// How hard the model thinks: only ever a configuration option.
    var effort = Choice()

    init() {}

    /// Reads the answer to `session/new`, `session/load` or `session/resume`.
    ///
    /// `modes` and `models` have methods of their own; agents that have moved on to configuration options (stable
    /// since February 2026) send `configOptions`, some both. The methods go first where there are both: with some
    /// agents setting an option changes their configuration file.
    init(_ result: JSON) {
        if let modes = result["modes"], !modes.isNull {
            mode.current = modes["currentModeId"]?.stringValue
            mode.available = (modes["availableModes"]?.arrayValue ?? []).compactMap { $0["id"]?.stringValue }
            mode.details = modes["availableModes"]
        }
        if let models = result["models"], !models.isNull {
            model.current = models["currentModelId"]?.stringValue
            model.available = (models["availableModels"]?.arrayValue ?? []).compactMap { $0["modelId"]?.stringValue }
            model.details = models["availableModels"]
        }
        takeOptions(result["configOptions"])
    }

    /// Takes the current values of configuration options, and the options of what has no method of its own.
    mutating func takeOptions(_ options: JSON?) {
        for option in options?.arrayValue ?? [] {
            switch option["category"]?.stringValue ?? option["id"]?.stringValue {
            case "mode": AgentSettings.take(option, into: &mode)
            case "model": AgentSettings.take(option, into: &model)
            // The protocol's word, mistral-vibe's, and what others call it.
            case "thought_level", "thinking", "effort", "reasoning_effort":
                AgentSettings.take(option, into: &effort)
            default: break
            }
        }
    }

    private static func take(_ option: JSON, into choice: inout Choice) {
        guard let id = option["id"]?.stringValue, option["options"]?.arrayValue != nil else { return }
        if choice.available.isEmpty { choice.configId = id }
        choice.current = option["currentValue"]?.stringValue ?? choice.current
        guard choice.configId == id else { return }
        // Options may stand in groups.
        let values = (option["options"]?.arrayValue ?? []).flatMap { $0["options"]?.arrayValue ?? [$0] }
        choice.available = values.compactMap { $0["value"]?.stringValue }
        choice.details = .array(values)
    }
}
