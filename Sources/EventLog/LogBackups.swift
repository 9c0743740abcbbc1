import Base

/// Deleted sessions: `<backups>/deleted-<time>-<sessionId>/` with the files as they were, the newest kept.
struct LogBackups {
    let directory: String
    let fileSystem: any LogFileSystem

    private static let prefix = "deleted-"

    func take(_ files: [String], from source: String, sessionId: String, keep: Int) throws(SystemError) {
        do throws(LogError) {
            try prepareTrustedDirectory(directory, fileSystem)
        } catch {
            throw error.cause ?? SystemError(errno: 20, operation: error.message)
        }
        // Colons are unwelcome in file names elsewhere. The time first: names sort by age.
        let time = Timestamp.now.description.filter { $0 != ":" && $0 != "-" }
        let target = directory + "/" + Self.prefix + time + "-" + sessionId
        do throws(SystemError) {
            try fileSystem.makeDirectory(target)
        } catch {
            guard error.isAlreadyThere else { throw error }
        }
        for file in files { try fileSystem.rename(source + "/" + file, to: target + "/" + file) }
        prune(keep: keep)
    }

    /// Moves the files of a deleted session back, of its newest deletion.
    /// - Returns: false when there are none, or none that are believed.
    func giveBack(_ sessionId: String, to target: String) throws(SystemError) -> Bool {
        let log = sessionId + LogFormat.suffix
        let copies = ((try? fileSystem.entries(of: directory)) ?? []).filter {
            // The time has no dash in it, an identifier may.
            $0.status.kind == .directory && $0.name.hasPrefix(Self.prefix)
                && $0.name.dropFirst(Self.prefix.count).drop { $0 != "-" }.dropFirst() == sessionId
        }
        for copy in copies.map(\.name).sorted().reversed() {
            let source = directory + "/" + copy
            let files = try fileSystem.entries(of: source).filter {
                $0.status.kind == .regular && $0.status.owner == fileSystem.user
                    && ($0.name == log || $0.name.hasPrefix(log + "."))
            }.map(\.name)
            // A deletion that was cut short, and repeated, has left parts of it elsewhere.
            guard files.contains(log) else { continue }
            // The log last: as long as it isn't there, the session is a deleted one, and this can be repeated.
            for file in files.sorted(by: { $0.utf8.count > $1.utf8.count }) {
                try fileSystem.rename(source + "/" + file, to: target + "/" + file)
            }
            try? fileSystem.removeDirectory(source)
            return true
        }
        return false
    }

    /// What can't be removed stays: the deletion itself has succeeded.
    private func prune(keep: Int) {
        guard let entries = try? fileSystem.entries(of: directory) else { return }
        let old = entries.filter { $0.name.hasPrefix(Self.prefix) && $0.status.kind == .directory }
            .map(\.name).sorted().dropLast(keep)
        for name in old {
            let path = directory + "/" + name
            for file in (try? fileSystem.entries(of: path)) ?? [] { try? fileSystem.remove(path + "/" + file.name) }
            try? fileSystem.removeDirectory(path)
        }
    }
}
