import Base
import Digests
import HubProtocol
import Installations
package import JSON

/// The provider modules that were installed without a release of the core: `installed-versions.json` names them, and
/// each lies in a folder of its own with a record of what it was when its signature was checked.
struct InstalledModules {
    /// Why `installed-versions.json` can't be used; what it said before holds then.
    private(set) var problem: ManifestError?

    private let home: String
    private let list: String
    private var stamp: FileStamp?
    /// By the provider's id.
    private var versions: [String: String] = [:]

    /// - Parameter home: the hub's.
    init(home: String) {
        self.home = home
        list = "\(home)/installed-versions.json"
    }

    /// Takes in which are installed now.
    /// - Returns: whether the problem has changed.
    mutating func refresh() -> Bool {
        let stamp = FileStamp(list, followsLinks: false)
        guard stamp != self.stamp else { return false }
        self.stamp = stamp
        let before = problem
        do throws(ManifestError) {
            var named: [String: String] = [:]
            for (component, version) in try ProviderFiles.readTrustedObject(list) ?? [:] {
                guard component.hasPrefix("provider:"), let version = version.stringValue else { continue }
                named[String(component.dropFirst(9))] = version
            }
            versions = named
            problem = nil
        } catch {
            problem = error
        }
        return problem != before
    }

    /// The files of all that are named, whether they are there or not.
    var files: [String: ManifestLayer.Files] {
        var files: [String: ManifestLayer.Files] = [:]
        for (id, version) in versions where ProviderManifest.isValidIdentifier(id) {
            let places = places(of: id, version)
            let paths = places.folders + [places.manifest, places.record]
            files[id] = ManifestLayer.Files(
                path: places.manifest, stamps: paths.map { FileStamp($0, followsLinks: false) })
        }
        return files
    }

    private struct Places {
        var folders: [String]
        var manifest: String
        var record: String
    }

    private func places(of id: String, _ version: String) -> Places {
        let modules = "\(home)/providers/\(id)/modules"
        // Never a path that leads elsewhere, whatever the file says.
        let folder = "\(modules)/\(Version(version) == nil ? "none" : version)"
        return Places(
            folders: ["\(home)/providers/\(id)", modules, folder], manifest: "\(folder)/module.json",
            record: "\(folder)/install.json")
    }

    /// Reads one, which must be complete in itself, and exactly what was installed.
    /// - Parameter core: this core's version.
    func read(_ id: String, core: Version?) throws(ManifestError) -> JSONObject? {
        guard let version = versions[id] else { return nil }
        let places = places(of: id, version)
        guard Version(version) != nil else {
            throw ManifestError(path: list, key: "provider:\(id)", reason: "must be a version")
        }
        for folder in places.folders {
            if let problem = ProviderFiles.problem(withFolder: folder) {
                throw ManifestError(path: folder, reason: problem)
            }
        }
        guard let bytes = try ProviderFiles.readTrusted(places.manifest),
            let record = try ProviderFiles.readTrustedObject(places.record)
        else {
            throw ManifestError(path: places.folders[2], reason: "is incomplete: codeai-hub providers update \(id)")
        }
        let entry = record["files"]?.arrayValue?.first { $0["path"] == "module.json" }
        guard record["component"]?.stringValue == "provider:\(id)", record["version"]?.stringValue == version,
            entry?["sha256"]?.stringValue?.lowercased() == hexadecimal(sha256(bytes))
        else {
            throw ManifestError(
                path: places.manifest,
                reason: "is not what was installed: codeai-hub providers update \(id). What you want to have otherwise "
                    + "belongs into \(home)/providers/\(id)/module.json")
        }
        let object = try ProviderFiles.object(bytes, places.manifest)
        let manifest = try ProviderManifest(module: object, path: places.manifest, core: core)
        guard manifest.id == id else {
            throw ManifestError(path: places.manifest, key: "id", reason: "must be \(id)")
        }
        guard manifest.moduleVersion == Version(version) else {
            throw ManifestError(path: places.manifest, key: "moduleVersion", reason: "must be \(version)")
        }
        return object
    }
}

extension ProviderManifest {
    /// A module as it is distributed: complete in itself, with a version.
    init(module object: JSONObject, path: String, core: Installations.Version?) throws(ManifestError) {
        try self.init(.object(object), path: path, core: core)
        guard id == ProviderID.resolve(id), id != ProviderID.echo else {
            throw ManifestError(path: path, key: "id", reason: "\(id) can't be a module: the core has it inside")
        }
        guard moduleVersion != nil else { throw ManifestError(path: path, key: "moduleVersion", reason: "is missing") }
    }

    /// `{id, moduleVersion, minimumCore?}`
    package var identity: JSONObject {
        var identity: JSONObject = ["id": JSON(id)]
        identity["moduleVersion"] = moduleVersion.map { JSON($0.description) }
        identity["minimumCore"] = minimumCore.map { JSON($0.description) }
        return identity
    }

    /// Reads a module from a file, which nobody else may be able to change.
    /// - Parameter core: this core's version.
    package init(module path: String, core: String) throws(ManifestError) {
        guard let object = try ProviderFiles.readTrustedObject(path) else {
            throw ManifestError(path: path, reason: "isn't there")
        }
        try self.init(module: object, path: path, core: Installations.Version(core))
    }
}
