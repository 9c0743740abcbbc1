import Archives
import Base
import CLinux
import Glibc

// Files of a home, looked at with distrust.

/// Whether there is anything of that name, also a link that leads nowhere.
func exists(_ path: String) -> Bool {
    var information = stat()
    return lstat(path, &information) == 0
}

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

/// Removes a folder with all in it. Links are removed, not followed.
func removeTree(_ path: String) {
    var information = stat()
    guard lstat(path, &information) == 0 else { return }
    if information.st_mode & S_IFMT == S_IFDIR {
        for name in folderEntries(path) ?? [] { removeTree(path + "/" + name) }
        rmdir(path)
    } else {
        unlink(path)
    }
}

/// Has a folder's entries on the disk when it returns.
func synchronize(folder: String) {
    let file = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    guard file >= 0 else { return }
    fsync(file)
    close(file)
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
