import Base
import Glibc

extension Configuration {
    /// The configuration that is in force: flag before environment before file before default. A missing file is
    /// written with the defaults (mode 0600, atomically).
    ///
    /// - Parameters:
    ///   - flags: texts by key, for example `server.port`: `"9000"`.
    ///   - createsMissing: false for a file that somebody named: it must be there.
    /// - Throws: everything wrong with the file, or with the environment and the flags.
    package static func load(
        path: String, environment: [String: String], flags: [String: String] = [:], createsMissing: Bool = true
    ) throws(ConfigurationError) -> Configuration {
        var configuration: Configuration
        if let text = try read(path) {
            configuration = try parse(text, source: path)
        } else if createsMissing {
            configuration = Configuration()
            try write(firstFile, to: path)
        } else {
            throw failure(path, "is not there")
        }
        try configuration.apply(environment: environment, flags: flags)
        return configuration
    }

    private static func failure(_ path: String, _ reason: String) -> ConfigurationError {
        ConfigurationError([.init(source: path, line: nil, key: "", reason: reason)])
    }

    /// The file's bytes; nil when there is none.
    private static func read(_ path: String) throws(ConfigurationError) -> [UInt8]? {
        let fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard fd >= 0 else {
            if errno == ENOENT { return nil }
            throw failure(path, "can't be opened: \(SystemError.text(of: errno))")
        }
        defer { close(fd) }
        var status = stat()
        guard fstat(fd, &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
            throw failure(path, "is no regular file")
        }
        // It names programs that are run: who can write it can run anything as this user.
        guard status.st_uid == geteuid() || status.st_uid == 0, status.st_mode & 0o022 == 0 else {
            throw failure(path, "can be changed by other users: own it and set its mode to 600")
        }
        guard status.st_size <= fileLimit else { throw failure(path, "is larger than \(fileLimit) bytes") }
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 16 << 10)
        while bytes.count <= fileLimit {
            let count = Glibc.read(fd, &buffer, buffer.count)
            if count == 0 { return bytes }
            if count > 0 {
                bytes += buffer[..<count]
            } else if errno != EINTR {
                throw failure(path, "can't be read: \(SystemError.text(of: errno))")
            }
        }
        throw failure(path, "is larger than \(fileLimit) bytes")
    }

    /// Replaces a file so that whoever reads it sees the old or the new one, whole.
    private static func write(_ bytes: [UInt8], to path: String) throws(ConfigurationError) {
        let temporary = path + ".tmp.\(getpid())"
        unlink(temporary)
        let fd = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0o600)
        guard fd >= 0 else { throw failure(path, "can't be written: \(SystemError.text(of: errno))") }
        var done = 0
        while done < bytes.count {
            let count = bytes[done...].withUnsafeBytes { Glibc.write(fd, $0.baseAddress, $0.count) }
            if count > 0 { done += count } else if errno != EINTR { break }
        }
        let isWhole = done == bytes.count && fsync(fd) == 0
        let problem = errno
        close(fd)
        guard isWhole, rename(temporary, path) == 0 else {
            let problem = isWhole ? errno : problem
            unlink(temporary)
            throw failure(path, "can't be written: \(SystemError.text(of: problem))")
        }
    }
}
