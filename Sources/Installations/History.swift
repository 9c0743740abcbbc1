package import Base
package import JSON

/// Something that happened to an installation.
package struct HistoryEntry: Equatable, Sendable {
    package enum Result: String, Sendable {
        case installed
        case confirmed
        case rolledBack = "rolled_back"
        case uninstalled
    }

    package var component: Component
    package var version: Version
    /// What was in force before.
    package var from: Version?
    package var at: Timestamp
    package var result: Result
    package var reason: String?

    package init(
        _ component: Component, _ version: Version, from: Version? = nil, at: Timestamp, _ result: Result,
        reason: String? = nil
    ) {
        self.component = component
        self.version = version
        self.from = from
        self.at = at
        self.result = result
        self.reason = reason
    }

    package init?(_ json: JSON) {
        guard let component = json["component"]?.stringValue.flatMap({ Component($0) }),
            let version = json["version"]?.stringValue.flatMap({ Version($0) }),
            let at = json["at"]?.stringValue.flatMap({ Timestamp($0) }),
            let result = json["result"]?.stringValue.flatMap({ Result(rawValue: $0) })
        else { return nil }
        self.init(
            component, version, from: json["from"]?.stringValue.flatMap { Version($0) }, at: at, result,
            reason: json["reason"]?.stringValue)
    }

    package var json: JSON {
        var object: JSONObject = ["component": JSON(component.description), "version": JSON(version.description)]
        object["from"] = from.map { JSON($0.description) }
        object["at"] = JSON(at.description)
        object["result"] = JSON(result.rawValue)
        object["reason"] = reason.map { JSON($0) }
        return .object(object)
    }
}

/// `core/installs.json`: the last things that happened, for people and for knowing what was in force before.
struct History {
    private let home: InstallationHome
    private static let limit = 50

    init(_ home: InstallationHome) { self.home = home }

    /// Oldest first; nothing when it can't be read: no decision needs it.
    func read() -> [HistoryEntry] {
        guard let bytes = try? readFile(home.historyFile), let json = try? JSON.parse(bytes) else { return [] }
        return (json["history"]?.arrayValue ?? []).compactMap { HistoryEntry($0) }
    }

    /// Adds an entry, unless it is there: a step that was cut short is done again.
    func add(_ entry: HistoryEntry) throws(InstallationError) {
        let history = read()
        guard !history.contains(entry) else { return }
        let entries = (history + [entry]).suffix(History.limit).map(\.json)
        try replaceDurably(home.historyFile, ["schema": 1, "history": .array(entries)])
    }
}
