package import Installations
package import JSON

/// What goes on in an installation: for a person's terminal, and for programs as lines of JSON.
package enum ReleaseEvent: Sendable {
    /// A manifest is being fetched.
    case resolving(String)
    /// A mirror of the manifest was left for the next.
    case skipped(String, reason: String)
    case plan(ReleasePlan)
    /// Bytes of a package that have come, of how many, and where the rest comes from.
    case downloading(component: Component, received: Int, total: Int, mirror: String)
    case verifying(component: Component)
    case unpacking(component: Component, version: Version)
    case preflight(component: Component, version: Version)
    case switching(component: Component, from: Version?, to: Version)
    /// The daemon was asked to go on as the new version, when so many turns ran.
    case restarting(turns: Int)
    /// The new daemon is being watched, since so many milliseconds of how many.
    case watching(milliseconds: Int, of: Int)
    case rolledBack(reason: String)
    /// Older versions were removed.
    case cleaned([Version])

    package var name: String {
        switch self {
        case .resolving: "resolving"
        case .skipped: "skipped"
        case .plan: "plan"
        case .downloading: "downloading"
        case .verifying: "verifying"
        case .unpacking: "unpacking"
        case .preflight: "preflight"
        case .switching: "switching"
        case .restarting: "restarting"
        case .watching: "watching"
        case .rolledBack: "rolled_back"
        case .cleaned: "cleaned"
        }
    }

    package var json: JSON {
        var object: JSONObject = ["event": JSON(name)]
        for (key, value) in members { object[key] = value }
        return .object(object)
    }

    private var members: JSONObject {
        switch self {
        case .resolving(let manifest): ["manifest": JSON(manifest)]
        case .skipped(let manifest, let reason): ["manifest": JSON(manifest), "reason": JSON(reason)]
        case .plan(let plan): plan.json
        case .downloading(let component, let received, let total, let mirror):
            [
                "component": JSON("\(component)"), "received": JSON(received), "total": JSON(total),
                "mirror": JSON(mirror),
            ]
        case .verifying(let component): ["component": JSON("\(component)")]
        case .unpacking(let component, let version), .preflight(let component, let version):
            ["component": JSON("\(component)"), "version": JSON("\(version)")]
        case .switching(let component, let from, let to):
            ["component": JSON("\(component)"), "from": from.map { JSON("\($0)") } ?? .null, "to": JSON("\(to)")]
        case .restarting(let turns): ["turns": JSON(turns)]
        case .watching(let milliseconds, let total): ["milliseconds": JSON(milliseconds), "of": JSON(total)]
        case .rolledBack(let reason): ["reason": JSON(reason)]
        case .cleaned(let versions): ["versions": JSON(versions.map(\.description))]
        }
    }
}
