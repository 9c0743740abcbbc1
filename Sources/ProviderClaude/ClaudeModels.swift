package import JSON

/// The models that Claude Code offers, and how hard each can be told to think: from its answer to `initialize`.
package struct ClaudeModels: Equatable, Sendable {
    struct Model: Equatable, Sendable {
        /// What `--model` takes, for example `opus`.
        var value: String
        /// What that stands for at present, for example `claude-opus-5-5`.
        var resolved: String?
        var efforts: [String]
    }

    private let entries: [Model]

    package init() { entries = [] }

    package init(_ json: JSON?) {
        entries = (json?.arrayValue ?? []).prefix(1000).compactMap { entry in
            guard let value = entry["value"]?.stringValue else { return nil }
            return Model(
                value: value, resolved: entry["resolvedModel"]?.stringValue,
                efforts: entry["supportsEffort"]?.boolValue == false
                    ? [] : (entry["supportedEffortLevels"]?.arrayValue ?? []).compactMap(\.stringValue))
        }
    }

    package var models: [String] { entries.map(\.value) }

    /// - Parameter model: by either name; nil or unknown: what any model takes.
    package func efforts(of model: String?) -> [String] {
        if let model, let entry = entries.first(where: { $0.value == model || $0.resolved == model }) {
            return entry.efforts
        }
        var all: [String] = []
        for effort in entries.flatMap(\.efforts) where !all.contains(effort) { all.append(effort) }
        return all
    }
}
