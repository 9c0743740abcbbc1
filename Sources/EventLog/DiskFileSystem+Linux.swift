package import Base
import CLinux
import Glibc

/// The machine's own file system.
package final class DiskFileSystem: LogFileSystem {
    package static let shared = DiskFileSystem()

    package let user: UInt32 = geteuid()

    package init() {}

    package func open(_ path: String, _ access: FileAccess) throws(SystemError) -> Int32 {
        let flags =
            switch access {
            case .read: O_RDONLY
            case .readWrite: O_RDWR
            case .create: O_RDWR | O_CREAT | O_EXCL
            }
        let fd = try retrying("open \(path)") {
            Glibc.open(path, flags | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK | O_NOCTTY, 0o600)
        }
        return fd
    }

    package func close(_ fd: Int32) {
        _ = Glibc.close(fd)
    }

    package func status(_ fd: Int32) throws(SystemError) -> FileStatus {
        var status = stat()
        guard fstat(fd, &status) == 0 else { throw .current("fstat") }
        return FileStatus(status)
    }

    package func extent(_ fd: Int32) throws(SystemError) -> FileExtent {
        var extent = clinux_extent()
        guard clinux_get_extent(fd, &extent) == 0 else { throw .current("statx") }
        return FileExtent(size: Int(extent.size), inode: extent.inode, links: extent.links)
    }

    package func status(path: String) throws(SystemError) -> FileStatus {
        var status = stat()
        guard lstat(path, &status) == 0 else { throw .current("stat \(path)") }
        return FileStatus(status)
    }

    package func read(
        _ fd: Int32, into buffer: UnsafeMutableRawBufferPointer, at offset: Int
    ) throws(SystemError) -> Int {
        try retrying("read") { pread(fd, buffer.baseAddress, buffer.count, off_t(offset)) }
    }

    package func write(_ fd: Int32, _ bytes: UnsafeRawBufferPointer, at offset: Int) throws(SystemError) -> Int {
        let count = try retrying("write") { pwrite(fd, bytes.baseAddress, bytes.count, off_t(offset)) }
        // POSIX leaves a 0 possible; taken for progress it would loop for ever.
        guard count > 0 || bytes.isEmpty else { throw SystemError(errno: ENOSPC, operation: "write") }
        return count
    }

    package func truncate(_ fd: Int32, to size: Int) throws(SystemError) {
        _ = try retrying("ftruncate") { ftruncate(fd, off_t(size)) }
    }

    package func synchronize(_ fd: Int32) throws(SystemError) {
        _ = try retrying("fdatasync") { fdatasync(fd) }
    }

    package func synchronize(directory: String) throws(SystemError) {
        let fd = try retrying("open \(directory)") { Glibc.open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC) }
        defer { close(fd) }
        _ = try retrying("fsync \(directory)") { fsync(fd) }
    }

    package func setPermissions(_ path: String, _ mode: UInt32) throws(SystemError) {
        guard chmod(path, mode) == 0 else { throw .current("chmod \(path)") }
    }

    package func rename(_ from: String, to: String) throws(SystemError) {
        guard Glibc.rename(from, to) == 0 else { throw .current("rename \(from)") }
    }

    package func remove(_ path: String) throws(SystemError) {
        guard unlink(path) == 0 else { throw .current("unlink \(path)") }
    }

    package func removeDirectory(_ path: String) throws(SystemError) {
        guard rmdir(path) == 0 else { throw .current("rmdir \(path)") }
    }

    package func makeDirectory(_ path: String) throws(SystemError) {
        guard mkdir(path, 0o700) == 0 else { throw .current("mkdir \(path)") }
    }

    package func entries(of directory: String) throws(SystemError) -> [DirectoryEntry] {
        guard let stream = opendir(directory) else { throw .current("opendir \(directory)") }
        defer { closedir(stream) }
        let base = dirfd(stream)
        var entries: [DirectoryEntry] = []
        while let entry = readdir(stream) {
            let nameOffset = MemoryLayout<dirent>.offset(of: \.d_name) ?? 0
            let name = UnsafeRawPointer(entry).advanced(by: nameOffset).assumingMemoryBound(to: CChar.self)
            // "." and ".."; files of ours never begin with a dot.
            if name.pointee == 0x2e { continue }
            var status = stat()
            // It may have gone meanwhile.
            guard fstatat(base, name, &status, AT_SYMLINK_NOFOLLOW) == 0 else { continue }
            entries.append(DirectoryEntry(name: String(cString: name), status: FileStatus(status)))
        }
        return entries
    }

    private func retrying<Result: FixedWidthInteger & SignedInteger>(
        _ operation: @autoclosure () -> String, _ call: () -> Result
    ) throws(SystemError) -> Result {
        while true {
            let result = call()
            if result >= 0 { return result }
            if errno != EINTR { throw .current(operation()) }
        }
    }
}

extension FileStatus {
    fileprivate init(_ status: stat) {
        let kind: Kind =
            switch status.st_mode & S_IFMT {
            case S_IFREG: .regular
            case S_IFDIR: .directory
            case S_IFLNK: .symbolicLink
            default: .other
            }
        self.init(
            kind: kind, owner: status.st_uid, permissions: UInt32(status.st_mode & 0o7777), size: Int(status.st_size),
            modifiedNanoseconds: Int64(status.st_mtim.tv_sec) &* 1_000_000_000 &+ Int64(status.st_mtim.tv_nsec),
            inode: UInt64(status.st_ino), links: UInt64(status.st_nlink))
    }
}

extension SystemError {
    package var isNotFound: Bool { errno == ENOENT }
    package var isAlreadyThere: Bool { errno == EEXIST }
    /// Something else cut the file short: bytes that were committed are no longer there.
    static let cutShort = SystemError(errno: ENODATA, operation: "read what was committed")
    /// What `open` answers for a symbolic link that it must not follow.
    var isSymbolicLink: Bool { errno == ELOOP }
}

/// The monotonic clock in nanoseconds.
func monotonicNanoseconds() -> Int64 {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
}

/// The offset of the first line feed, if there is one.
@inline(__always)
package func firstLineFeed(_ bytes: UnsafeRawBufferPointer) -> Int? {
    guard let base = bytes.baseAddress, let found = memchr(base, 0x0a, bytes.count) else { return nil }
    return UnsafeRawPointer(found) - base
}

/// The offset of the last line feed, if there is one.
func lastLineFeed(_ bytes: UnsafeRawBufferPointer) -> Int? {
    var index = bytes.count - 1
    while index >= 0 {
        if bytes[index] == 0x0a { return index }
        index -= 1
    }
    return nil
}

/// Waits a little; only for the end of the program, where no loop turns any more.
func pause(milliseconds: UInt32) {
    usleep(milliseconds * 1000)
}
