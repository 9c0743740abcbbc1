import Base
import Glibc
package import JSON

/// `installed-versions.json`: which version of each component is in force. It is replaced whole, and what others have
/// written into it is kept.
package struct VersionsFile {
    private let home: InstallationHome

    package init(_ home: InstallationHome) { self.home = home }

    /// - Returns: empty when there is no such file.
    /// - Throws: `damaged` when it makes no sense, `inputOutput`.
    package func read() throws(InstallationError) -> JSONObject {
        let bytes: [UInt8]
        do throws(SystemError) {
            bytes = try readFile(home.versionsFile, limit: 64 << 10)
        } catch {
            if error.errno == ENOENT { return [:] }
            throw InstallationError(error)
        }
        guard let versions = (try? JSON.parse(bytes))?.objectValue else {
            throw InstallationError(.damaged, "\(home.versionsFile) is no JSON object")
        }
        return versions
    }

    /// The version of a component; nil when it has none.
    /// - Throws: `damaged` when what is there is no version.
    package func version(of component: Component) throws(InstallationError) -> Version? {
        guard let entry = try read()[component.description] else { return nil }
        guard let version = entry.stringValue.flatMap({ Version($0) }) else {
            throw InstallationError(.damaged, "\(home.versionsFile) names no version of \"\(component)\"")
        }
        return version
    }

    /// Puts a version in force, on the disk when this returns.
    /// - Parameter version: nil takes the component out.
    func set(_ component: Component, _ version: Version?) throws(InstallationError) {
        var versions = try read()
        versions[component.description] = version.map { JSON($0.description) }
        try replaceDurably(home.versionsFile, .object(versions))
    }
}

/// Replaces a state file whole, on the disk when this returns.
func replaceDurably(_ path: String, _ json: JSON) throws(InstallationError) {
    try filing { () throws(SystemError) in
        try writeFile(path, json.serialize() + [0x0a])
        try synchronize(folder: parent(path))
    }
}

/// Removes a file, for good when this returns; none is as well.
func removeDurably(_ path: String) throws(InstallationError) {
    guard unlink(path) == 0 || errno == ENOENT else { throw InstallationError(.current("unlink \(path)")) }
    try filing { () throws(SystemError) in try synchronize(folder: parent(path)) }
}

func parent(_ path: String) -> String { path.parentPath ?? path }
