import Base
import Digests
import JSON

extension TemporaryFolder {
    /// Lays down a provider module in the home `hub`, as an installation does; nothing uses it yet.
    package func layModule(_ id: String, _ version: String, _ text: String) throws {
        let path = "hub/providers/\(id)/modules/\(version)"
        try write("\(path)/module.json", text)
        let file: JSON = [
            "path": "module.json", "size": JSON(text.utf8.count), "mode": "0644",
            "sha256": JSON(hexadecimal(sha256(Array(text.utf8)))),
        ]
        let record: JSON = [
            "schema": 1, "component": JSON("provider:\(id)"), "version": JSON(version),
            "installedAt": "2026-01-01T00:00:00.000Z", "files": .array([file]),
        ]
        try write("\(path)/install.json", record.description)
    }

    /// Says which module of a provider is installed; nil for none.
    package func nameModule(_ id: String, _ version: String?) throws {
        let file = path + "/hub/installed-versions.json"
        var versions: JSONObject = [:]
        if let bytes = try? readFile(file), let before = try JSON.parse(bytes).objectValue { versions = before }
        versions["provider:\(id)"] = version.map { JSON($0) }
        // In the place of the old one, as an installation does: one that is written to may be read half.
        try writeFile(file, JSON.object(versions).serialize())
    }
}
