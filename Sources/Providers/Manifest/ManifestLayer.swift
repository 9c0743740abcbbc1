import JSON

/// The manifests of one kind, by their provider's id, as their files change: of each the last good state, and what is
/// wrong with the present one.
struct ManifestLayer {
    /// What tells one state of a manifest's files from another.
    struct Files: Equatable {
        /// Of the manifest.
        var path: String
        /// Of all that it depends on.
        var stamps: [FileStamp?]
    }

    private struct Entry {
        var files: Files
        /// The last good state.
        var accepted: JSONObject?
        /// How often in a row it was not there.
        var absences = 0
    }

    /// How often in a row one must not be there to be gone: a file that an editor replaces may be away for a moment.
    let absences: Int
    private var entries: [String: Entry] = [:]
    private(set) var problems: [String: ManifestError] = [:]

    init(absences: Int) { self.absences = absences }

    /// Sorted.
    var ids: [String] { entries.filter { $0.value.accepted != nil }.keys.sorted() }

    /// The last good state of a manifest.
    subscript(id: String) -> JSONObject? { entries[id]?.accepted }

    /// Takes in what has changed.
    /// - Parameters:
    ///   - found: what is there now.
    ///   - read: reads and checks one; nil when it is gone this very moment.
    ///   - isNeeded: whether one that was removed has to stay for now.
    /// - Returns: whether manifests or problems may have changed.
    mutating func refresh(
        _ found: [String: Files], isNeeded: (_ id: String) -> Bool,
        read: (_ id: String, Files) throws(ManifestError) -> JSONObject?
    ) -> Bool {
        var hasChanged = false
        for (id, files) in found where entries[id]?.files != files {
            var entry = entries[id] ?? Entry(files: files)
            entry.files = files
            entry.absences = 0
            do throws(ManifestError) {
                entry.accepted = try read(id, files) ?? entry.accepted
                problems[id] = nil
            } catch {
                problems[id] = error
            }
            entries[id] = entry
            hasChanged = true
        }
        for id in entries.keys where found[id] == nil {
            if remove(id, isNeeded: isNeeded(id)) { hasChanged = true }
        }
        return hasChanged
    }

    /// - Returns: whether that changes anything.
    private mutating func remove(_ id: String, isNeeded: Bool) -> Bool {
        guard var entry = entries[id] else { return false }
        entry.absences += 1
        // Whatever comes back is read.
        entry.files.stamps = []
        entries[id] = entry
        guard entry.absences >= absences else { return false }
        guard entry.accepted != nil, isNeeded else {
            entries[id] = nil
            problems[id] = nil
            return true
        }
        let problem = ManifestError(
            path: entry.files.path, reason: "was removed; the provider stays as long as a session's process runs on it")
        defer { problems[id] = problem }
        return problems[id] != problem
    }
}
