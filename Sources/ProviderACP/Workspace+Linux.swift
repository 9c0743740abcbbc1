package import ACPMessages
import Base
import CLinux
import Glibc
import JSON

/// The folder that a session's agent works in, as far as the daemon itself acts for the agent: whatever an agent names,
/// only what lies within this folder is opened.
///
/// The kernel does the checking while it opens (`openat2` with `RESOLVE_BENEATH`), so that no symbolic link, no `..` and
/// nothing that is renamed at the same moment leads out. Symbolic links that stay within the folder are followed; those
/// with an absolute target are refused. It guards against mistakes and tricks, not against the agent's own process,
/// which has the person's rights anyway.
package struct Workspace: Sendable {
    /// Absolute.
    package let path: String
    /// The largest file that is read or written, in bytes: it is done on the loop, which has to go on.
    package let maximumFileBytes: Int
    /// The path without symbolic links, which agents know it by too.
    private let realPath: String?

    /// More than any path that the kernel takes.
    private static let maximumPathBytes = 4096

    package init(_ path: String, maximumFileBytes: Int = 4 << 20) {
        self.path = path
        self.maximumFileBytes = maximumFileBytes
        let real = realpath(path, nil)
        defer { free(real) }
        realPath = real.map { String(cString: $0) }
    }

    // MARK: Reading

    /// A file's text, or some of its lines with their ends.
    /// - Parameters:
    ///   - line: the first, counted from 1. Beyond the last one there is nothing to read, which is no error.
    ///   - limit: how many.
    package func read(_ path: String, line: Int? = nil, limit: Int? = nil) throws(ACPError) -> String {
        let file = try open(try relative(path), O_RDONLY | O_NONBLOCK | O_NOCTTY, named: path)
        defer { close(file) }
        var bytes = try contents(of: file, named: path)[...]
        if let line, line > 1 {
            for _ in 1..<line {
                guard let end = bytes.firstIndex(of: 0x0a) else {
                    bytes = []
                    break
                }
                bytes = bytes[(end + 1)...]
            }
        }
        if let limit {
            var end = bytes.startIndex
            var count = 0
            while count < limit, end < bytes.endIndex {
                end = bytes[end...].firstIndex(of: 0x0a).map { $0 + 1 } ?? bytes.endIndex
                count += 1
            }
            bytes = bytes[..<end]
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    /// The whole of an open file, which must be a regular one with text in it.
    private func contents(of file: Int32, named path: String) throws(ACPError) -> [UInt8] {
        var information = stat()
        guard fstat(file, &information) == 0 else { throw Workspace.error(errno, path) }
        guard information.st_mode & S_IFMT == S_IFREG else { throw Workspace.notAFile(path) }
        guard information.st_size <= maximumFileBytes else { throw tooLarge(path) }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(Int(information.st_size) + 1)
        var chunk = [UInt8](repeating: 0, count: 64 << 10)
        while true {
            let count = Glibc.read(file, &chunk, chunk.count)
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { throw Workspace.error(errno, path) }
            if count == 0 { break }
            bytes.append(contentsOf: chunk[..<count])
            // It may grow while it is being read.
            guard bytes.count <= maximumFileBytes else { throw tooLarge(path) }
        }
        // Repaired text would be written back as damage.
        guard String(validating: bytes, as: UTF8.self) != nil else {
            throw .invalidParameters("\(path) is no text in UTF-8")
        }
        return bytes
    }

    // MARK: Writing

    /// Replaces a file whole, or makes it and the folders above it; whoever reads it sees the old text or the new one.
    /// It keeps its permissions. A symbolic link stays one: the file that it leads to is replaced.
    /// - Returns: the text before; nil when there was none or it was no text.
    package func write(_ path: String, _ text: String) throws(ACPError) -> String? {
        let bytes = Array(text.utf8)
        guard bytes.count <= maximumFileBytes else { throw tooLarge(path) }
        var target = try relative(path)
        // As many links one after the other as a kernel follows, roughly.
        for _ in 0..<32 {
            let slash = target.utf8.lastIndex(of: UInt8(ascii: "/"))
            let parent = slash.map { String(target[..<$0]) } ?? "."
            let name = slash.map { String(target[target.utf8.index(after: $0)...]) } ?? target
            guard !name.isEmpty, name != ".", name != ".." else { throw Workspace.notAFile(path) }
            let folder = try openFolder(parent.isEmpty ? "." : parent, named: path, makingIt: true)
            defer { close(folder) }
            var information = stat()
            guard fstatat(folder, name, &information, AT_SYMLINK_NOFOLLOW) == 0 else {
                guard errno == ENOENT else { throw Workspace.error(errno, path) }
                try replace(name, in: folder, with: bytes, named: path, like: nil)
                return nil
            }
            switch information.st_mode & S_IFMT {
            case S_IFREG:
                // Replacing needs only the folder's permission; writing would have needed the file's.
                guard faccessat(folder, name, W_OK, AT_EACCESS) == 0 else { throw Workspace.error(errno, path) }
                let old = oldText(name, in: folder, named: path)
                try replace(name, in: folder, with: bytes, named: path, like: information)
                return old
            case S_IFLNK:
                let link = try Workspace.linkTarget(name, in: folder, named: path)
                guard link.utf8.first != UInt8(ascii: "/") else { throw outside(path) }
                target = parent + "/" + link
            default: throw Workspace.notAFile(path)
            }
        }
        throw Workspace.error(ELOOP, path)
    }

    private func oldText(_ name: String, in folder: Int32, named path: String) -> String? {
        let file = openat(folder, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC)
        guard file >= 0 else { return nil }
        defer { close(file) }
        return (try? contents(of: file, named: path)).map { String(decoding: $0, as: UTF8.self) }
    }

    private func replace(
        _ name: String, in folder: Int32, with bytes: [UInt8], named path: String, like old: stat?
    ) throws(ACPError) {
        let temporary = ".codeai-hub-\(hexadecimal(randomBytes(8))).tmp"
        let file = openat(
            folder, temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, old == nil ? 0o666 : 0o600)
        guard file >= 0 else { throw Workspace.error(errno, path) }
        var failure: ACPError?
        do throws(SystemError) {
            try writeAll(bytes, to: file, path)
            if let old {
                // Only root can give a file away; where that fails it is ours, as with most editors.
                if old.st_uid != geteuid() || old.st_gid != getegid() { _ = fchown(file, old.st_uid, old.st_gid) }
                _ = fchmod(file, old.st_mode & 0o777)
            }
        } catch {
            failure = Workspace.error(error.errno, path)
        }
        close(file)
        if failure == nil, renameat(folder, temporary, folder, name) != 0 { failure = Workspace.error(errno, path) }
        if let failure {
            unlinkat(folder, temporary, 0)
            throw failure
        }
    }

    private static func linkTarget(_ name: String, in folder: Int32, named path: String) throws(ACPError) -> String {
        var buffer = [CChar](repeating: 0, count: maximumPathBytes)
        let count = readlinkat(folder, name, &buffer, buffer.count)
        guard count > 0 else { throw error(errno, path) }
        return String(decoding: buffer[..<count].map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    // MARK: Folders

    /// A descriptor of a folder (`O_PATH`), for a process to be started in.
    package func openFolder(_ path: String) throws(ACPError) -> Int32 {
        try openFolder(try relative(path), named: path, makingIt: false)
    }

    private func openFolder(_ relative: String, named path: String, makingIt: Bool) throws(ACPError) -> Int32 {
        let flags = clinux_open_path_only | O_DIRECTORY
        do throws(ACPError) {
            return try open(relative, flags, named: path)
        } catch {
            guard makingIt, error.code == ACPError.notFound else { throw error }
        }
        var made = "."
        // By bytes, as the kernel does: to Swift a slash with a combining mark after it is another character.
        for part in relative.utf8.split(separator: UInt8(ascii: "/")).map({ String(Substring($0)) }) where part != "." {
            let above = try open(made, flags, named: path)
            defer { close(above) }
            guard mkdirat(above, part, 0o777) == 0 || errno == EEXIST else {
                throw Workspace.error(errno, path)
            }
            made += "/" + part
        }
        return try open(made, flags, named: path)
    }

    // MARK: Paths

    private func open(_ relative: String, _ flags: Int32, named path: String) throws(ACPError) -> Int32 {
        let root = Glibc.open(self.path, clinux_open_path_only | O_DIRECTORY | O_CLOEXEC)
        guard root >= 0 else { throw Workspace.error(errno, self.path) }
        defer { close(root) }
        let file = clinux_open_beneath(root, relative, flags, 0)
        guard file >= 0 else { throw errno == EXDEV ? outside(path) : Workspace.error(errno, path) }
        return file
    }

    /// The part of an absolute path after the workspace; `..` in it is left to the kernel.
    private func relative(_ path: String) throws(ACPError) -> String {
        guard path.utf8.first == UInt8(ascii: "/") else { throw .invalidParameters("\(path) is no absolute path") }
        guard path.utf8.count < Workspace.maximumPathBytes, !path.utf8.contains(0) else {
            throw .invalidParameters("not a valid path")
        }
        for root in [self.path, realPath].compactMap({ $0 }) {
            let root = root.utf8.last == UInt8(ascii: "/") ? String(root.utf8.dropLast()) ?? root : root
            if path == root { return "." }
            guard path.utf8.starts(with: (root + "/").utf8) else { continue }
            let rest = String(decoding: path.utf8.dropFirst(root.utf8.count).drop { $0 == 0x2f }, as: UTF8.self)
            return rest.isEmpty ? "." : rest
        }
        throw outside(path)
    }

    // MARK: Errors

    private func outside(_ path: String) -> ACPError {
        .invalidParameters("\(path) is outside of the workspace \(self.path)")
    }

    private func tooLarge(_ path: String) -> ACPError {
        .invalidParameters("\(path): more than \(maximumFileBytes) bytes are not read or written for an agent")
    }

    private static func notAFile(_ path: String) -> ACPError { .invalidParameters("\(path) is no regular file") }

    private static func error(_ errno: Int32, _ path: String) -> ACPError {
        switch errno {
        case ENOENT, ENOTDIR:
            ACPError(
                code: ACPError.notFound, message: "\(SystemError.text(of: errno)): \(path)", data: ["uri": JSON(path)])
        case ELOOP, ENAMETOOLONG, EISDIR: .invalidParameters("\(SystemError.text(of: errno)): \(path)")
        // A FIFO that nobody writes to, a device without a driver.
        case ENXIO, ENODEV: notAFile(path)
        default: ACPError(code: -32603, message: "\(SystemError.text(of: errno)): \(path)")
        }
    }
}
