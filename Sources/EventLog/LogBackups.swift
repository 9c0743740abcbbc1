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
