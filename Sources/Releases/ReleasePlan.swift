package import Downloads
package import Installations
package import JSON

/// What an update would change, before anything is.
package struct ReleasePlan: Sendable {
    package struct Change: Sendable {
        package var component: Component
        /// Nil when it isn't installed yet.
        package var from: Version?
        package var entry: ManifestEntry
        package var mirrors: [Location]
        /// Bytes that are still to be fetched.
        package var download: Int
        /// The number of the key that signed the manifest; nil when nobody did.
        package var signedBy: String?
        /// Markdown.
        package var notes: String?

        package var json: JSON {
            var object: JSONObject = [
                "component": JSON("\(component)"), "from": from.map { JSON("\($0)") } ?? .null,
                "to": JSON("\(entry.version)"),
                "package": JSON(entry.package), "size": JSON(entry.size), "download": JSON(download),
            ]
            object["unpackedSize"] = entry.unpackedSize.map { JSON($0) }
            object["notes"] = notes.map { JSON($0) }
            return .object(object)
        }
    }

    /// A provider's module that has to wait for a newer core.
    package struct Waiting: Sendable {
        package var component: Component
        package var version: Version
        /// The oldest core that can use it.
        package var core: Version

        package var json: JSON {
            ["component": JSON("\(component)"), "to": JSON("\(version)"), "minimumCore": JSON("\(core)")]
        }
    }

    /// The manifest's address.
    package var manifest: String
    /// The number of the key that signed it; nil when nobody did.
    package var signedBy: String?
    /// None when all is as the manifest has it.
    package var changes: [Change]
    package var waiting: [Waiting] = []

    package var isUpToDate: Bool { changes.isEmpty }

    package var json: JSONObject {
        var object: JSONObject = [
            "upToDate": JSON(isUpToDate), "manifest": JSON(manifest), "signedBy": signedBy.map { JSON($0) } ?? .null,
            "components": .array(changes.map(\.json)),
        ]
        if !waiting.isEmpty { object["waiting"] = .array(waiting.map(\.json)) }
        return object
    }

    /// With the changes of another: for showing.
    package func with(_ other: ReleasePlan?) -> ReleasePlan {
        var both = self
        both.changes += other?.changes ?? []
        both.waiting += other?.waiting ?? []
        return both
    }
}
