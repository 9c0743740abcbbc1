package import Base
import Glibc

/// An open file of an archive: regular, of this user, reached without following a symbolic link below the root.
package struct ArchiveFile: ~Copyable {
    package let descriptor: Int32
    package let bytes: Int
    package let modified: Timestamp

    deinit { close(descriptor) }

    /// As much of the range as there is.
    package func read(from offset: Int, count: Int) throws(SystemError) -> [UInt8] {
        try readAll(descriptor, from: offset, count: count)
    }
}

/// Walks the folder in which a program keeps its sessions. What is found there is hostile until checked: links, FIFOs
/// and other people's files are passed over.
package struct ArchiveFolder: Sendable {
    /// May itself be reached through links: where it is, is the person's own choice.
    package let root: String

    package init(root: String) {
        self.root = root
    }

    package struct Entry: Sendable {
        /// Below the root.
        package var path: [String]
        package var bytes: Int
        package var modified: Timestamp
        package var name: String { path.last ?? "" }
    }

    /// More entries than this in one archive are not looked at.
    private static let entryLimit = 200_000

    /// The regular files `depth` folders below the root whose name fits.
    package func files(below folders: [String] = [], depth: Int, where fits: (String) -> Bool) -> [Entry] {
        guard let top = openFolder(folders) else { return [] }
        var found: [Entry] = []
        var left = ArchiveFolder.entryLimit
        walk(top, folders, depth, fits, &left, &found)
        return found
    }

    /// Takes the descriptor.
    private func walk(
        _ descriptor: Int32, _ path: [String], _ depth: Int, _ fits: (String) -> Bool, _ left: inout Int,
        _ found: inout [Entry]
    ) {
        guard let stream = fdopendir(descriptor) else {
            close(descriptor)
            return
        }
        defer { closedir(stream) }
        while left > 0, let entry = readdir(stream) {
            left -= 1
            let nameOffset = MemoryLayout<dirent>.offset(of: \.d_name) ?? 0
            let bytes = UnsafeRawPointer(entry).advanced(by: nameOffset).assumingMemoryBound(to: CChar.self)
            if bytes.pointee == 0x2e { continue }
            guard let name = String(validatingCString: bytes) else { continue }
            var status = stat()
            guard fstatat(dirfd(stream), bytes, &status, AT_SYMLINK_NOFOLLOW) == 0 else { continue }
            if depth > 0, status.st_mode & S_IFMT == S_IFDIR {
                let folder = openat(dirfd(stream), bytes, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
                if folder >= 0 { walk(folder, path + [name], depth - 1, fits, &left, &found) }
            } else if depth == 0, ArchiveFolder.isTrusted(status), fits(name) {
                found.append(
                    Entry(path: path + [name], bytes: Int(status.st_size), modified: Timestamp(modified: status)))
            }
        }
    }

    private static func isTrusted(_ status: stat) -> Bool {
        status.st_mode & S_IFMT == S_IFREG && status.st_uid == geteuid()
    }

    /// The folder, opened step by step so that no link below the root is followed.
    private func openFolder(_ folders: [String]) -> Int32? {
        var descriptor = Glibc.open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        for name in folders {
            guard descriptor >= 0 else { return nil }
            let next =
                ArchiveFolder.isName(name)
                ? openat(descriptor, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC) : -1
            close(descriptor)
            descriptor = next
        }
        return descriptor >= 0 ? descriptor : nil
    }

    private static func isName(_ name: String) -> Bool {
        !name.isEmpty && name != "." && name != ".." && !name.utf8.contains(UInt8(ascii: "/"))
            && !name.utf8.contains(0)
    }

    /// Nil when there is no such file, or none that may be read.
    package func open(_ path: [String]) -> ArchiveFile? {
        guard let name = path.last, ArchiveFolder.isName(name), let folder = openFolder(Array(path.dropLast())) else {
            return nil
        }
        defer { close(folder) }
        // Without O_NONBLOCK a FIFO would be waited for.
        let file = openat(folder, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC | O_NOCTTY)
        guard file >= 0 else { return nil }
        var status = stat()
        guard fstat(file, &status) == 0, ArchiveFolder.isTrusted(status) else {
            close(file)
            return nil
        }
        return ArchiveFile(
            descriptor: file, bytes: Int(status.st_size), modified: Timestamp(modified: status))
    }
}

extension Timestamp {
    fileprivate init(modified status: stat) {
        self.init(
            milliseconds: Int64(status.st_mtim.tv_sec) &* 1000 &+ Int64(status.st_mtim.tv_nsec) / 1_000_000)
    }
}
