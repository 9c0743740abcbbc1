import Base
import CLinux
import Glibc

/// The lock that lets one installer at a time work on a home. The kernel lets it go when the process ends, however it ends.
package final class InstallLock {
    private let file: Int32

    /// - Throws: `installRunning`, which names the process that has it.
    package init(_ home: InstallationHome) throws(InstallationError) {
        try filing { () throws(SystemError) in try makeDirectories(home.core) }
        file = open(home.installLock, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0o600)
        guard file >= 0 else { throw InstallationError(.current("open \(home.installLock)")) }
        // The object is whole by now: what is thrown from here on still runs deinit, which closes the file.
        var attempts = 0
        while flock(file, LOCK_EX | LOCK_NB) != 0 {
            // A child that was forked a moment ago still has the lock of an installer before us, until it is another program.
            if errno == EWOULDBLOCK, attempts < 20 {
                attempts += 1
                usleep(10_000)
                continue
            }
            guard errno == EWOULDBLOCK else { throw InstallationError(.current("lock \(home.installLock)")) }
            let text = (try? readAll(file, from: 0, count: 32)) ?? []
            let holder = Int32(String(decoding: text.prefix { $0 > 0x20 }, as: UTF8.self))
            throw InstallationError(
                .installRunning,
                "another installation is running on \(home.path)\(holder.map { ": process \($0)" } ?? "")")
        }
        // Who has it is for people; on a full disk they don't learn it.
        if ftruncate(file, 0) == 0 { try? writeAll(Array("\(getpid())\n".utf8), to: file, home.installLock) }
    }

    deinit { close(file) }
}

extension InstallationHome {
    /// How long somebody else may take to change the state, which takes milliseconds.
    private static let patience = 5000

    /// Changes what is in force, alone: installers and daemons do. The lock is on the folder of the versions, so that it
    /// needs no file.
    func changingState<Value>(
        _ body: () throws(InstallationError) -> Value
    ) throws(InstallationError) -> Value {
        let path = folder(of: .core)
        try filing { () throws(SystemError) in try makeDirectories(path) }
        let folder = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard folder >= 0 else { throw InstallationError(.current("open \(path)")) }
        defer { close(folder) }
        var waited = 0
        while flock(folder, LOCK_EX | LOCK_NB) != 0 {
            guard errno == EWOULDBLOCK || errno == EINTR else { throw InstallationError(.current("lock \(path)")) }
            guard waited < InstallationHome.patience else {
                throw InstallationError(
                    .installRunning, "another process has been changing \(path) for \(waited / 1000) seconds")
            }
            usleep(5000)
            waited += 5
        }
        return try body()
    }
}
