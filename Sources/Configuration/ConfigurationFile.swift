import Base
import Glibc
package import JSON

/// `config.json` on the disk: read with suspicion, replaced whole.
package struct ConfigurationFile: Sendable {
    package let path: String

    package init(_ path: String) { self.path = path }

    func failure(_ reason: String) -> ConfigurationError {
        ConfigurationError([.init(source: path, line: nil, key: "", reason: reason)])
    }

    /// The file's bytes; nil when there is none.
    package func read() throws(ConfigurationError) -> [UInt8]? {
        let limit = Configuration.fileLimit
        let fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard fd >= 0 else {
            if errno == ENOENT { return nil }
            throw failure("can't be opened: \(SystemError.text(of: errno))")
        }
        defer { close(fd) }
        var status = stat()
        guard fstat(fd, &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
            throw failure("is no regular file")
        }
        // It names programs that are run: who can write it can run anything as this user.
        guard status.st_uid == geteuid() || status.st_uid == 0, status.st_mode & 0o022 == 0 else {
            throw failure("can be changed by other users: own it and set its mode to 600")
        }
        do throws(SystemError) {
            return try readToEnd(of: fd, path, limit: limit)
        } catch {
            throw failure(
                error.errno == EFBIG
                    ? "is larger than \(limit) bytes" : "can't be read: \(SystemError.text(of: error.errno))")
        }
    }

    /// Replaces the file so that whoever reads it sees the old or the new one, whole. Mode 0600. A symbolic link stays
    /// one: what it points to is replaced.
    ///
    /// - Parameter old: what the new text was made from; nil when there was no file.
    /// - Returns: false when the file is another by now; nothing was changed then.
    package func replace(_ old: [UInt8]?, with new: [UInt8]) throws(ConfigurationError) -> Bool {
        let target = resolved
        let lock = try lockFolder(of: target)
        defer { close(lock) }
        // One of a writer that was killed is in nobody's way.
        let temporary = target + ".new"
        do throws(SystemError) {
            try makeFile(temporary, new)
        } catch {
            throw failure("can't be written: \(error)")
        }
        // As late as can be: what somebody saves meanwhile must not be lost.
        let isUnchanged: Bool
        do throws(ConfigurationError) {
            isUnchanged = try read() == old
        } catch {
            unlink(temporary)
            throw error
        }
        guard isUnchanged else {
            unlink(temporary)
            return false
        }
        guard rename(temporary, target) == 0 else {
            let problem = errno
            unlink(temporary)
            throw failure("can't be written: \(SystemError.text(of: problem))")
        }
        // So that the new name outlives a loss of power.
        fsync(lock)
        return true
    }

    /// Keeps the daemon and the person's tool from replacing the file between each other's look and deed. Editors know
    /// nothing of it: for them there is the look, right before.
    private func lockFolder(of path: String) throws(ConfigurationError) -> Int32 {
        let folder = path.parentPath ?? "."
        let fd = open(folder, O_RDONLY | O_CLOEXEC | O_DIRECTORY)
        guard fd >= 0 else { throw failure("can't be written: \(SystemError.current("open \(folder)"))") }
        // Held for as long as the disk takes for a small file. Where there are no locks, as on some networks, it is done
        // without.
        var tries = 1000
        while flock(fd, LOCK_EX | LOCK_NB) != 0, errno == EWOULDBLOCK {
            tries -= 1
            guard tries > 0 else {
                close(fd)
                throw failure("is being written by another program that doesn't end")
            }
            usleep(5000)
        }
        return fd
    }

    private var resolved: String {
        guard let real = realpath(path, nil) else { return path }
        defer { free(real) }
        return String(cString: real)
    }

    // MARK: Changing

    /// One setting's new value.
    package struct Change: Equatable, Sendable {
        package var key: String
        /// Nil for the default: the key is taken out of the file.
        package var value: JSON?

        package init(key: String, value: JSON?) {
            self.key = key
            self.value = value
        }
    }

    /// Writes changes into the file, all of them or none. Whatever else stands there stays as it is; what somebody else
    /// saves in the same moment is read again and kept.
    ///
    /// - Parameter changes: checked, as `SettingsPatch` does.
    /// - Returns: whether anything had to be written.
    /// - Throws: when the file as it is can't be used (then it is not touched), or can't be written.
    @discardableResult
    package func change(
        _ changes: [Change], backups: String? = nil, chain: MigrationChain = .current
    ) throws(ConfigurationError) -> Bool {
        for _ in 0..<32 {
            let old = try read()
            let text = old ?? Configuration.firstFile
            _ = try Configuration.parse(text, source: path, chain: chain)
            var edit = JSONTextEdit(try Configuration.migrated(text, source: path, chain: chain) ?? text)
            for change in changes {
                let path = change.key.split(separator: ".").map(String.init)
                if let value = change.value {
                    if edit.value(path) != value { edit.set(path, value) }
                } else {
                    edit.remove(path)
                }
            }
            if edit.text == old { return false }
            // A home that no daemon has used yet.
            if old == nil, let folder = path.parentPath { try? makeDirectories(folder) }
            guard edit.text.count <= Configuration.fileLimit else {
                throw failure("would be larger than \(Configuration.fileLimit) bytes")
            }
            _ = try Configuration.parse(edit.text, source: path, chain: chain)
            if let old, let backups { _ = try backUp(old, backups: backups, chain: chain) }
            if try replace(old, with: edit.text) { return true }
        }
        throw failure("is being changed by something else all the time: try again")
    }

    // MARK: Older versions

    /// Rewrites the file of an older version.
    /// - Returns: the copy of the old one; nil when there was nothing to do.
    func migrate(
        _ text: [UInt8], backups: String, chain: MigrationChain
    ) throws(ConfigurationError) -> String? {
        guard let new = try Configuration.migrated(text, source: path, chain: chain) else { return nil }
        let backup = try backUp(text, backups: backups, chain: chain)
        // Somebody changed it just now: what they wrote is brought up to date at the next look.
        _ = try replace(text, with: new)
        return backup
    }

    /// Keeps what a migration replaces. There are only as many of these as versions, so none is ever removed.
    private func backUp(
        _ text: [UInt8], backups: String, chain: MigrationChain
    ) throws(ConfigurationError) -> String? {
        guard try Configuration.migrated(text, source: path, chain: chain) != nil else { return nil }
        let time = Timestamp.now.description.filter { $0 != ":" && $0 != "-" }
        let copy = "\(backups)/config-\(time).json"
        do throws(SystemError) {
            try makeDirectories(backups)
            try writeFile(copy, text)
        } catch {
            throw failure("is of an older version and can't be kept before it is rewritten: \(error)")
        }
        return copy
    }
}
