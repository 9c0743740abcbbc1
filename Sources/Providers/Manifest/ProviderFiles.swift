import Base
import Glibc
import JSON

/// Small files that are read on the loop: manifests and settings.
enum ProviderFiles {
    /// No manifest or settings file comes near.
    static let limit = 1 << 20

    static func exists(_ path: String) -> Bool { access(path, R_OK) == 0 }

    /// A file that names programs to run: believed only when nobody else can have written it.
    /// - Returns: nil when there is no such file.
    static func readTrusted(_ path: String) throws(ManifestError) -> [UInt8]? {
        let file = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK)
        guard file >= 0 else {
            if errno == ENOENT || errno == ENOTDIR { return nil }
            if errno == ELOOP {
                throw ManifestError(path: path, reason: "is a symbolic link: put the file itself there")
            }
            throw ManifestError(path: path, reason: "can't be opened: \(SystemError.text(of: errno))")
        }
        defer { close(file) }
        var information = stat()
        guard fstat(file, &information) == 0, information.st_mode & S_IFMT == S_IFREG else {
            throw ManifestError(path: path, reason: "is no regular file")
        }
        guard information.st_uid == geteuid() || information.st_uid == 0 else {
            throw ManifestError(path: path, reason: "belongs to another user")
        }
        guard information.st_mode & 0o022 == 0 else {
            throw ManifestError(path: path, reason: "can be changed by other users: run chmod go-w on it")
        }
        do throws(SystemError) {
            return try readToEnd(of: file, path, limit: limit)
        } catch {
            throw ManifestError(path: path, reason: "can't be read: \(error)")
        }
    }

    /// The same, of a file that has a JSON object.
    static func readTrustedObject(_ path: String) throws(ManifestError) -> JSONObject? {
        guard let bytes = try readTrusted(path) else { return nil }
        return try object(bytes, path)
    }

    /// - Parameter path: for the error.
    static func object(_ bytes: [UInt8], _ path: String) throws(ManifestError) -> JSONObject {
        let json: JSON
        do throws(JSONError) {
            json = try JSON.parse(bytes)
        } catch {
            throw ManifestError(path: path, reason: "\(error)")
        }
        guard let object = json.objectValue else { throw ManifestError(path: path, reason: "must be an object") }
        return object
    }

    /// Why the folder of a trusted file can't be trusted itself; nil when it can.
    static func problem(withFolder path: String) -> String? {
        var information = stat()
        guard lstat(path, &information) == 0 else { return "can't be looked at: \(SystemError.text(of: errno))" }
        guard information.st_mode & S_IFMT == S_IFDIR else { return "is a symbolic link: make it a folder" }
        guard information.st_uid == geteuid() || information.st_uid == 0 else { return "belongs to another user" }
        guard information.st_mode & 0o022 == 0 else { return "can be changed by other users: run chmod go-w on it" }
        return nil
    }

    /// Nil when it is not there or no JSON.
    static func json(_ path: String) -> JSON? {
        let file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard file >= 0 else { return nil }
        defer { close(file) }
        guard let bytes = try? readToEnd(of: file, path, limit: limit) else { return nil }
        return try? JSON.parse(bytes)
    }

    /// The names of the entries of a folder that don't begin with a dot, sorted.
    static func names(in path: String) -> [String] { (folderEntries(path) ?? []).filter { !$0.hasPrefix(".") } }

    /// The names of the folders within a folder, symbolic links to folders among them.
    static func folders(in path: String) -> [String] { names(in: path).filter { isDirectory("\(path)/\($0)") } }
}

/// What tells one state of a file from another without reading it.
struct FileStamp: Equatable {
    private let device: UInt64
    private let inode: UInt64
    private let size: Int64
    private let mode: UInt32
    private let modified: [Int]

    /// - Parameter followsLinks: whether what a symbolic link leads to is meant, or the link.
    /// Nil when there is no such file.
    init?(_ path: String, followsLinks: Bool = true) {
        var information = stat()
        guard (followsLinks ? stat(path, &information) : lstat(path, &information)) == 0 else { return nil }
        device = UInt64(truncatingIfNeeded: information.st_dev)
        inode = UInt64(truncatingIfNeeded: information.st_ino)
        size = Int64(information.st_size)
        mode = UInt32(information.st_mode)
        // The time of the last change of the inode as well: contents can be replaced with an old time of change.
        modified = [
            information.st_mtim.tv_sec, information.st_mtim.tv_nsec, information.st_ctim.tv_sec,
            information.st_ctim.tv_nsec,
        ]
    }
}
