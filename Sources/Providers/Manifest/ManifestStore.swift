import HubProtocol
import Installations
package import JSON

/// The manifests in force. Of each provider that is the bundled one or an installed module, whichever is newer, and over
/// it what the person's own `module.json` says.
///
/// What is wrong with a file is a problem that is shown, never a reason to lose a provider that works: the last good
/// state of the file stays, and before there was one what is below it stands in.
package struct ManifestStore {
    /// Where a manifest is from.
    struct Origin: Equatable {
        enum Source: String { case bundled, installed, person }

        var source: Source
        /// What the person's own changes.
        var over: Source?
    }

    /// What is wrong with a provider's manifest.
    struct Problem: Hashable {
        /// Empty when it is about no provider.
        var id: String
        var error: ManifestError
    }

    /// `providers` in the hub's home.
    let folder: String
    /// In the order in which they are shown: the bundled ones, then the others by name.
    private(set) var manifests: [ProviderManifest] = []
    private(set) var origins: [String: Origin] = [:]

    private let core: Version?
    private var modules: InstalledModules
    private var installed = ManifestLayer(absences: 1)
    private var own = ManifestLayer(absences: 2)
    /// Of own ones that don't fit what has come under them.
    private var conflicts: [String: ManifestError] = [:]

    private static let bundled: [(id: String, object: JSONObject)] = BundledManifests.all.compactMap { id, bytes in
        (try? JSON.parse(bytes))?.objectValue.map { (id, $0) }
    }

    /// - Parameters:
    ///   - home: the hub's.
    ///   - core: this core's version; nil where it doesn't matter.
    init(home: String, core: Version?) {
        folder = "\(home)/providers"
        self.core = core
        modules = InstalledModules(home: home)
        refresh { _ in false }
    }

    var problems: [Problem] {
        var all = own.problems.merging(conflicts) { $1 }.sorted { $0.key < $1.key }
        all += installed.problems.sorted { $0.key < $1.key }
        return all.map { Problem(id: $0.key, error: $0.value) }
            + (modules.problem.map { [Problem(id: "", error: $0)] } ?? [])
    }

    func problem(withOwn id: String) -> ManifestError? { conflicts[id] ?? own.problems[id] }

    func problem(withInstalled id: String) -> ManifestError? { installed.problems[id] }

    /// Takes in what has changed on disk.
    /// - Parameter isInUse: whether a session's process runs on a provider. One whose manifest was removed stays until
    ///   then.
    /// - Returns: whether manifests or problems may have changed.
    @discardableResult
    mutating func refresh(isInUse: (_ providerId: String) -> Bool) -> Bool {
        var hasChanged = manifests.isEmpty
        if modules.refresh() { hasChanged = true }
        let bundled = { (id: String) in ManifestStore.bundled.contains { $0.id == id } }
        let (modules, core) = (modules, core)
        if installed.refresh(
            modules.files, isNeeded: { !bundled($0) && isInUse($0) },
            read: { (id, _) throws(ManifestError) in try modules.read(id, core: core) })
        {
            hasChanged = true
        }
        var found: [String: ManifestLayer.Files] = [:]
        for name in ProviderFiles.folders(in: folder) {
            let path = "\(folder)/\(name)/module.json"
            // As a link: where it leads doesn't matter, it is refused.
            guard let stamp = FileStamp(path, followsLinks: false) else { continue }
            found[name] = ManifestLayer.Files(
                path: path, stamps: [stamp, FileStamp("\(folder)/\(name)", followsLinks: false)])
        }
        let store = self
        if own.refresh(
            found, isNeeded: { store.base(of: $0) == nil && isInUse($0) },
            read: { (id, files) throws(ManifestError) in try store.readOwn(id, files.path) })
        {
            hasChanged = true
        }
        if hasChanged { compose() }
        return hasChanged
    }

    /// What the person's own file changes; nil when there is nothing of that id.
    private func base(of id: String) -> (object: JSONObject, source: Origin.Source)? {
        let bundled = ManifestStore.bundled.first { $0.id == id }?.object
        guard let module = installed[id] else { return bundled.map { ($0, .bundled) } }
        // A core that was updated may bring a newer one.
        if let bundled, let its = ManifestStore.version(bundled), let version = ManifestStore.version(module),
            its >= version
        {
            return (bundled, .bundled)
        }
        return (module, .installed)
    }

    /// Of each provider that can have a module the version that is in force, whatever the person's own file says over it;
    /// null where the manifest says none.
    package static func modules(home: String, core: String) -> JSONObject {
        let store = ManifestStore(home: home, core: Version(core))
        var modules: JSONObject = [:]
        for manifest in store.manifests where manifest.id != ProviderID.echo {
            let version = store.base(of: manifest.id).flatMap { ManifestStore.version($0.object) }
            modules[manifest.id] = version.map { JSON($0.description) } ?? .null
        }
        return modules
    }

    private static func version(_ object: JSONObject) -> Version? {
        object["moduleVersion"]?.stringValue.flatMap { Version($0) }
    }

    /// The person's own file, as it is; checked together with what it changes.
    private func readOwn(_ name: String, _ path: String) throws(ManifestError) -> JSONObject? {
        if let problem = ProviderFiles.problem(withFolder: "\(folder)/\(name)") {
            throw ManifestError(path: "\(folder)/\(name)", reason: problem)
        }
        guard let object = try ProviderFiles.readTrustedObject(path) else { return nil }
        guard ProviderID.resolve(name) == name else {
            throw ManifestError(path: path, key: "id", reason: "\(name) is short for \(ProviderID.resolve(name))")
        }
        if let id = object["id"]?.stringValue, id != name {
            throw ManifestError(path: path, key: "id", reason: "must be the folder's name, \(name)")
        }
        _ = try ProviderManifest(.object(merged(name, object)), path: path, core: core)
        return object
    }

    /// What it leaves out is as in the one below.
    private func merged(_ id: String, _ object: JSONObject) -> JSONObject {
        (base(of: id)?.object ?? ["id": JSON(id)]).merging(object)
    }

    private mutating func compose() {
        manifests = []
        origins = [:]
        conflicts = [:]
        var ids = ManifestStore.bundled.map(\.id)
        for id in Set(installed.ids + own.ids).sorted() where !ids.contains(id) { ids.append(id) }
        for id in ids {
            let base = base(of: id)
            if let object = own[id] {
                let path = "\(folder)/\(id)/module.json"
                do throws(ManifestError) {
                    manifests.append(try ProviderManifest(.object(merged(id, object)), path: path, core: core))
                    origins[id] = Origin(source: .person, over: base?.source)
                    continue
                } catch {
                    conflicts[id] = error
                }
            }
            // Both kinds were checked before: the bundled ones by a test, the installed ones when they were read.
            if let base, let manifest = try? ProviderManifest(.object(base.object), path: id) {
                manifests.append(manifest)
                origins[id] = Origin(source: base.source)
            }
        }
    }
}
