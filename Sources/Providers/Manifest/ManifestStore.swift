import Base
import HubProtocol
import JSON

/// The manifests in force: the bundled ones, and those of the home over them.
///
/// What is wrong with a file is a problem that is shown, never a reason to lose a provider that works: the last good
/// state of the file stays, and before there was one the bundled manifest stands in.
struct ManifestStore {
    /// `providers` in the hub's home.
    let folder: String
    /// In the order in which they are shown: the bundled ones, then the others by name.
    private(set) var manifests: [ProviderManifest] = []
    /// By the folder's name.
    private(set) var problems: [String: ManifestError] = [:]

    private var modules: [String: Module] = [:]

    /// What is known of one folder's `module.json`.
    private struct Module {
        /// Of the file and its folder; nil when the file is gone.
        var stamps: [FileStamp?] = []
        /// Its last good state, merged into the bundled one's.
        var accepted: JSONObject?
        /// How often in a row it was not there.
        var absences = 0
    }

    private static let bundled: [(id: String, object: JSONObject)] = BundledManifests.all.compactMap { id, bytes in
        (try? JSON.parse(bytes))?.objectValue.map { (id, $0) }
    }

    init(folder: String) {
        self.folder = folder
        refresh { _ in false }
    }

    /// Takes in what has changed on disk.
    /// - Parameter isInUse: whether a session's process runs on a provider. One whose manifest was removed stays until
    ///   then.
    /// - Returns: whether manifests or problems may have changed.
    @discardableResult
    mutating func refresh(isInUse: (_ providerId: String) -> Bool) -> Bool {
        var hasChanged = manifests.isEmpty
        var present: Set<String> = []
        for name in ProviderFiles.folders(in: folder) {
            let path = path(of: name)
            // As a link: where it leads doesn't matter, it is refused.
            guard let stamp = FileStamp(path, followsLinks: false) else { continue }
            present.insert(name)
            let stamps = [stamp, FileStamp("\(folder)/\(name)", followsLinks: false)]
            guard modules[name]?.stamps != stamps else { continue }
            var module = modules[name] ?? Module()
            module.stamps = stamps
            module.absences = 0
            do throws(ManifestError) {
                module.accepted = try read(name) ?? module.accepted
                problems[name] = nil
            } catch {
                problems[name] = error
            }
            modules[name] = module
            hasChanged = true
        }
        for name in modules.keys where !present.contains(name) {
            if removed(name, isInUse: isInUse(name)) { hasChanged = true }
        }
        if hasChanged { compose() }
        return hasChanged
    }

    private func path(of name: String) -> String { "\(folder)/\(name)/module.json" }

    private func read(_ name: String) throws(ManifestError) -> JSONObject? {
        let path = path(of: name)
        if let problem = ProviderFiles.problem(withFolder: "\(folder)/\(name)") {
            throw ManifestError(path: "\(folder)/\(name)", reason: problem)
        }
        guard let bytes = try ProviderFiles.readTrusted(path) else { return nil }
        let json: JSON
        do throws(JSONError) {
            json = try JSON.parse(bytes)
        } catch {
            throw ManifestError(path: path, reason: "\(error)")
        }
        guard let object = json.objectValue else { throw ManifestError(path: path, reason: "must be an object") }
        guard ProviderID.resolve(name) == name else {
            throw ManifestError(path: path, key: "id", reason: "\(name) is short for \(ProviderID.resolve(name))")
        }
        if let id = object["id"]?.stringValue, id != name {
            throw ManifestError(path: path, key: "id", reason: "must be the folder's name, \(name)")
        }
        // What it leaves out is as in the bundled one.
        let base = ManifestStore.bundled.first { $0.id == name }?.object ?? ["id": JSON(name)]
        let merged = base.merging(object)
        _ = try ProviderManifest(.object(merged), path: path)
        return merged
    }

    /// - Returns: whether that changes anything.
    private mutating func removed(_ name: String, isInUse: Bool) -> Bool {
        guard var module = modules[name] else { return false }
        module.absences += 1
        module.stamps = []
        modules[name] = module
        let isBundled = ManifestStore.bundled.contains { $0.id == name }
        // Seen twice: a file that is being replaced may be away for a moment.
        guard module.absences > 1 else { return false }
        guard module.accepted != nil, !isBundled, isInUse else {
            modules[name] = nil
            problems[name] = nil
            return true
        }
        let problem = ManifestError(
            path: path(of: name), reason: "was removed; the provider stays as long as a session's process runs on it")
        defer { problems[name] = problem }
        return problems[name] != problem
    }

    private mutating func compose() {
        var order = ManifestStore.bundled.map(\.id)
        var objects = [String: JSONObject](uniqueKeysWithValues: ManifestStore.bundled.map { ($0.id, $0.object) })
        for (name, module) in modules.sorted(by: { $0.key < $1.key }) {
            guard let accepted = module.accepted else { continue }
            if objects[name] == nil { order.append(name) }
            objects[name] = accepted
        }
        manifests = []
        for id in order {
            guard let object = objects[id] else { continue }
            do throws(ManifestError) {
                manifests.append(try ProviderManifest(.object(object), path: "bundled \(id)"))
            } catch {
                problems[id] = error
            }
        }
    }
}
