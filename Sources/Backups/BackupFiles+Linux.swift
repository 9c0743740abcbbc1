import Archives
import Base
import CLinux
import Glibc

// Files of a home, looked at with distrust.

extension ArchiveError {
    init(_ error: SystemError) { self.init(.inputOutput, error.description) }
}

/// Runs what fails with an error of the system.
func filing<Value>(_ body: () throws(SystemError) -> Value) throws(ArchiveError) -> Value {
    do throws(SystemError) { return try body() } catch { throw ArchiveError(error) }
}

/// Renames, on one file system.
func move(_ from: String, to target: String) throws(ArchiveError) {
    guard rename(from, target) == 0 else { throw ArchiveError(.current("rename \(from) to \(target)")) }
}

/// The lock that a daemon holds as long as it runs, held here instead: none can start meanwhile.
final class HomeLock {
    private let file: Int32

    /// - Throws: `refused` while a daemon, or another restore, holds it.
    init(home: String) throws(ArchiveError) {
        let path = home + "/core/core.lock"
        try filing { () throws(SystemError) in try makeDirectories(home + "/core") }
        file = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0o600)
        guard file >= 0 else { throw ArchiveError(.current("open \(path)")) }
        // The object is whole by now: what is thrown from here on still runs deinit, which closes the file.
        guard flock(file, LOCK_EX | LOCK_NB) == 0 else {
            throw ArchiveError(.refused, "a daemon runs on \(home): stop it first")
        }
    }

    deinit { close(file) }
}
