import Base
import HubProtocol

/// Logs that were written elsewhere: imports.
extension LogStore where State: Sendable {
    /// Where builders write.
    package var drafts: LogDrafts { LogDrafts(directory: directory, fileSystem: fileSystem) }

    /// Makes a log that was built a log of the store: from here on it is there, whole, also after a crash.
    /// - Throws: `alreadyExists` when there is a session of that name; the built file is removed then, as after any error.
    package func adopt(_ built: BuiltLog<State>) throws(LogError) {
        var isDone = false
        defer { if !isDone { try? fileSystem.remove(built.path) } }
        let id = built.header.sessionId
        let target = path(id)
        // Renaming replaces what is there; nobody else makes logs here, so looking first is enough.
        guard !isKnown(id), (try? fileSystem.status(path: target)) == nil else {
            throw LogError(.alreadyExists, "there is a session \(id)")
        }
        do throws(SystemError) {
            try fileSystem.rename(built.path, to: target)
            isDone = true
            if durability == .power { try fileSystem.synchronize(directory: directory) }
            note(
                IndexEntry(
                    header: built.header, start: built.start, size: built.size,
                    status: try fileSystem.status(path: target), lastSeq: built.lastSeq, tail: built.tail, damage: [],
                    checkpoint: built.state.checkpoint))
        } catch {
            throw LogError(error)
        }
    }

    /// Removes one that won't be adopted.
    package func discard(_ built: BuiltLog<State>) { try? fileSystem.remove(built.path) }
}
