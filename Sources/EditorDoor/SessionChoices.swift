import JSON

/// What can be chosen in a session, and what is chosen: the agent, its mode, model and effort. Pure.
struct SessionChoices: Equatable {
    enum Option: String {
        case agent
        case mode
        case model
        case effort
    }

    private struct Choice: Equatable {
        var current: String?
        var values: [String]
    }

    /// Stands for what nobody has chosen: the agent decides, and tells when it starts.
    static let unset = "unset"

    private var agents: [(id: String, name: String)]
    private var providers: [JSON]
    private var agent: String
    private var modes: Choice
    private var models: Choice
    private var efforts: Choice

    init(record: JSON, providers: [JSON]) {
        self.providers = providers
        agents = providers.compactMap { provider in
            guard let id = provider["id"]?.stringValue, provider["enabled"]?.boolValue != false,
                provider["installed"]?.boolValue != false
            else { return nil }
            return (id, provider["name"]?.stringValue ?? id)
        }
        agent = ""
        modes = Choice(values: [])
        models = Choice(values: [])
        efforts = Choice(values: [])
        take(record: record)
    }

    static func == (a: SessionChoices, b: SessionChoices) -> Bool {
        a.agent == b.agent && a.modes == b.modes && a.models == b.models && a.efforts == b.efforts
    }

    var mode: String? { modes.current }
    var providerName: String { agents.first { $0.id == agent }?.name ?? agent }

    // MARK: What is known

    mutating func take(record: JSON) {
        let provider = record["providerId"]?.stringValue ?? agent
        if provider != agent {
            agent = provider
            let manifest = providers.first { $0["id"]?.stringValue == provider }
            modes.values = SessionChoices.texts(manifest?["modes"])
            models.values = SessionChoices.texts(manifest?["models"])
            efforts.values = []
        }
        modes.current = record["mode"]?.stringValue
        models.current = record["model"]?.stringValue
        efforts.current = record["effort"]?.stringValue
    }

    /// What an agent says of itself when it starts is truer than its manifest.
    /// - Returns: whether something is new.
    mutating func take(nativeSession data: JSONObject) -> Bool {
        let former = self
        for (name, path) in [("modes", \SessionChoices.modes), ("models", \.models), ("efforts", \.efforts)] {
            let values = SessionChoices.texts(data[name])
            if !values.isEmpty { self[keyPath: path].values = values }
        }
        return self != former
    }

    private static func texts(_ json: JSON?) -> [String] { json?.arrayValue?.compactMap(\.stringValue) ?? [] }

    func offers(_ value: String, for option: Option) -> Bool {
        option == .agent ? agents.contains { $0.id == value } : shown(choice(option)).contains(value)
    }

    private func choice(_ option: Option) -> Choice {
        switch option {
        case .agent: Choice(current: agent, values: agents.map(\.id))
        case .mode: modes
        case .model: models
        case .effort: efforts
        }
    }

    /// All values, and the current one among them, which editors insist on.
    private func shown(_ choice: Choice) -> [String] {
        guard !choice.values.isEmpty || choice.current != nil else { return [] }
        let current = choice.current ?? SessionChoices.unset
        return choice.values.contains(current) ? choice.values : [current] + choice.values
    }

    // MARK: As the editor has it

    /// `modes`, `configOptions`, and for editors from before those `models`, of an answer that opens a session.
    var state: JSONObject {
        var state: JSONObject = ["configOptions": configOptions]
        let modes = shown(modes)
        if !modes.isEmpty {
            state["modes"] = [
                "currentModeId": JSON(self.modes.current ?? SessionChoices.unset),
                "availableModes": .array(modes.map { ["id": JSON($0), "name": JSON(SessionChoices.name($0))] }),
            ]
        }
        let models = shown(models)
        if !models.isEmpty {
            state["models"] = [
                "currentModelId": JSON(self.models.current ?? SessionChoices.unset),
                "availableModels": .array(models.map { ["modelId": JSON($0), "name": JSON(modelName($0))] }),
            ]
        }
        return state
    }

    var optionsUpdate: JSONObject { ["sessionUpdate": "config_option_update", "configOptions": configOptions] }

    var configOptions: JSON {
        var options: [JSON] = []
        func add(_ option: Option, _ name: String, category: String?, names: (String) -> String) {
            let values = shown(choice(option))
            guard !values.isEmpty else { return }
            var object: JSONObject = [
                "id": JSON(option.rawValue), "name": JSON(name), "type": "select",
                "currentValue": JSON(choice(option).current ?? SessionChoices.unset),
                "options": .array(values.map { ["value": JSON($0), "name": JSON(names($0))] }),
            ]
            object["category"] = category.map { JSON($0) }
            options.append(.object(object))
        }
        add(.agent, "Agent", category: nil) { id in agents.first { $0.id == id }?.name ?? id }
        add(.mode, "Mode", category: "mode", names: SessionChoices.name)
        add(.model, "Model", category: "model", names: modelName)
        add(.effort, "Effort", category: "thought_level", names: SessionChoices.name)
        return .array(options)
    }

    private func modelName(_ model: String) -> String {
        model == SessionChoices.unset ? SessionChoices.name(model) : model
    }

    /// `acceptEdits` and `full-access` for people: "Accept Edits", "Full Access".
    static func name(_ id: String) -> String {
        guard id != unset else { return "As the agent is set up" }
        var words = ""
        for character in id {
            if character == "-" || character == "_" {
                words += " "
            } else if words.isEmpty || words.last == " " {
                words += character.uppercased()
            } else {
                if character.isUppercase, words.last?.isLowercase == true { words += " " }
                words.append(character)
            }
        }
        return words
    }
}
