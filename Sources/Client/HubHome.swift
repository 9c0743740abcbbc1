import Base
import CLinux
import Glibc

/// The folder in which the daemon keeps everything, `~/.codeai-hub` unless told otherwise.
///
/// What is in it decides where this program connects and what secret it sends, so that nothing in it is believed
/// before its owner and mode have been looked at.
public struct HubHome: Equatable, Sendable {
    /// Absolute.
    public let path: String

    /// - Parameter path: absolute.
    public init(path: String) {
        self.path = path
    }

    /// `CODEAI_HUB_HOME`, or `.codeai-hub` in the home folder of the user, which is `HOME` or what the system's list of users
    /// says: where the daemon looks.
    ///
    /// - Throws: `unsafeHome` when the variable holds a relative path, or there is no home folder at all.
    public static func standard(
        environment: (String) -> String? = environmentVariable
    ) throws(HubError) -> HubHome {
        do throws(HomeFolder.Missing) { return HubHome(path: try HomeFolder.ofHub(environment)) } catch {
            throw HubError(.unsafeHome, error.message)
        }
    }

    /// Reads a small file below the home; nil when it does not exist.
    ///
    /// - Parameters:
    ///   - isSecret: nobody but the owner may be able to read it either.
    ///   - limit: in bytes.
    /// - Throws: `unsafeHome` when the folder, `core` or the file belongs to somebody else, is a link, is writable by
    ///   others, or is larger than `limit`.
    func readFile(_ name: String, isSecret: Bool, limit: Int = 64 * 1024) throws(HubError) -> [UInt8]? {
        var folder = path
        for part in [""] + name.split(separator: "/").dropLast().map({ "/" + $0 }) {
            folder += part
            guard try checkFolder(folder) else { return nil }
        }
        if let ancestor = untrustedAncestor(of: path) {
            throw HubError(
                .unsafeHome, "others may write to the folder \(ancestor), and put something in the place of \(path)")
        }
        let file = path + "/" + name
        // Non-blocking: a FIFO put there must not hold the program.
        let fd = open(file, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK)
        guard fd >= 0 else {
            if errno == ENOENT { return nil }
            throw HubError(.unsafeHome, SystemError.current("open \(file)").description)
        }
        defer { close(fd) }
        var info = stat()
        guard fstat(fd, &info) == 0 else {
            throw HubError(.unsafeHome, SystemError.current("stat \(file)").description)
        }
        guard info.st_mode & S_IFMT == S_IFREG else { throw HubError(.unsafeHome, "\(file) is not a regular file") }
        guard info.st_uid == geteuid() else { throw HubError(.unsafeHome, "\(file) belongs to another user") }
        let forbidden: mode_t = isSecret ? 0o077 : 0o022
        guard info.st_mode & forbidden == 0 else {
            throw HubError(
                .unsafeHome, "\(file) is open to other users: run chmod \(isSecret ? "600" : "go-w") on it")
        }
        do throws(SystemError) {
            return try readToEnd(of: fd, file, limit: limit)
        } catch {
            throw HubError(
                .unsafeHome, error.errno == EFBIG ? "\(file) is larger than \(limit) bytes" : error.description)
        }
    }

    /// Whether the folder exists.
    private func checkFolder(_ folder: String) throws(HubError) -> Bool {
        var info = stat()
        guard stat(folder, &info) == 0 else {
            if errno == ENOENT || errno == ENOTDIR { return false }
            throw HubError(.unsafeHome, SystemError.current("stat \(folder)").description)
        }
        guard info.st_mode & S_IFMT == S_IFDIR else { throw HubError(.unsafeHome, "\(folder) is not a folder") }
        guard info.st_uid == geteuid() else { throw HubError(.unsafeHome, "\(folder) belongs to another user") }
        guard info.st_mode & 0o022 == 0 else {
            throw HubError(.unsafeHome, "\(folder) is writable by other users: run chmod go-w on it")
        }
        return true
    }

    /// Whether a daemon holds the home, also one that is starting or stopping and answers nobody.
    package var isInUse: Bool {
        let file = open(path + "/core/core.lock", O_RDONLY | O_CLOEXEC | O_NOFOLLOW)
        guard file >= 0 else { return false }
        defer { Glibc.close(file) }
        // Taken for a moment only, and shared, so that two who ask don't see each other.
        return flock(file, LOCK_SH | LOCK_NB) != 0 && errno == EWOULDBLOCK
    }
}

/// A variable of this process's environment.
public func environmentVariable(_ name: String) -> String? {
    getenv(name).map { String(cString: $0) }
}
