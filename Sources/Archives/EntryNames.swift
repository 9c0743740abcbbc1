/// What an archive has named so far: no name twice, no file where there must be a folder, and, unless that is wanted, no
/// two names that a file system which doesn't distinguish case would take for the same.
struct EntryNames {
    enum Outcome { case new, comesTwice, differsInCase, tooMany }

    private struct Known {
        /// As it was spelled.
        var path: String
        var isFolder: Bool
        /// It may be linked to.
        var isFile: Bool
        /// It had an entry of its own; else it is known from what lies in it.
        var hasEntry: Bool
    }

    private let limit: Int
    private let distinguishesCase: Bool
    private var known: [String: Known] = [:]

    init(limit: Int, distinguishesCase: Bool) {
        self.limit = limit
        self.distinguishesCase = distinguishesCase
    }

    func isFile(_ path: String) -> Bool {
        guard let other = known[key(path)] else { return false }
        return other.isFile && other.path.utf8.elementsEqual(path.utf8)
    }

    mutating func insert(_ path: String, _ kind: TarEntry.Kind) -> Outcome {
        for slash in path.utf8.indices where path.utf8[slash] == UInt8(ascii: "/") {
            let folder = String(path[..<slash])
            let outcome = insert(folder, Known(path: folder, isFolder: true, isFile: false, hasEntry: false))
            guard case .new = outcome else { return outcome }
        }
        return insert(
            path, Known(path: path, isFolder: kind == .folder, isFile: kind == .file, hasEntry: true))
    }

    private mutating func insert(_ path: String, _ new: Known) -> Outcome {
        let key = key(path)
        if let other = known[key] {
            guard other.path.utf8.elementsEqual(path.utf8) else { return .differsInCase }
            // Many lie in a folder, which may also be named itself.
            guard other.isFolder, new.isFolder, !(other.hasEntry && new.hasEntry) else { return .comesTwice }
            known[key]?.hasEntry = other.hasEntry || new.hasEntry
            return .new
        }
        guard known.count < limit else { return .tooMany }
        known[key] = new
        return .new
    }

    /// The same for names that differ in case or in how an accent is encoded: strings are compared in canonical form. First to
    /// capitals, since some letters become two there (ß) or one of several is chosen (ſ).
    private func key(_ path: String) -> String { distinguishesCase ? path : path.uppercased().lowercased() }
}
