package import Glibc

/// Whether a path names a folder, symbolic links followed.
package func isDirectory(_ path: String) -> Bool {
    var information = stat()
    return stat(path, &information) == 0 && information.st_mode & S_IFMT == S_IFDIR
}

/// Whether there is anything of that name, also a link that leads nowhere.
package func exists(_ path: String) -> Bool {
    var information = stat()
    return lstat(path, &information) == 0
}

/// Makes a folder and those above it that are missing, each with mode 0700.
package func makeDirectories(_ path: String) throws(SystemError) {
    if isDirectory(path) { return }
    if let parent = path.parentPath { try makeDirectories(parent) }
    guard mkdir(path, 0o700) == 0 || errno == EEXIST else { throw .current("mkdir \(path)") }
}

/// The names in a folder, without `.` and `..`, sorted; nil when it can't be read.
package func folderEntries(_ path: String) -> [String]? {
    guard let folder = opendir(path) else { return nil }
    defer { closedir(folder) }
    var names: [String] = []
    while let entry = readdir(folder) {
        let name = withUnsafeBytes(of: &entry.pointee.d_name) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
        if name != ".", name != ".." { names.append(name) }
    }
    return names.sorted()
}

/// A whole file, which must be regular and no symbolic link.
/// - Parameter limit: the most bytes it may have; a larger one is `EFBIG`.
package func readFile(_ path: String, limit: Int = 1 << 20) throws(SystemError) -> [UInt8] {
    // Without O_NONBLOCK a FIFO would be waited for.
    let file = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK)
    guard file >= 0 else { throw .current("open \(path)") }
    defer { close(file) }
    var information = stat()
    guard fstat(file, &information) == 0 else { throw .current("stat \(path)") }
    guard information.st_mode & S_IFMT == S_IFREG else { throw SystemError(errno: EINVAL, operation: "read \(path)") }
    return try readToEnd(of: file, path, limit: limit)
}

/// What is left to read of a descriptor that blocks.
/// - Parameter limit: the most bytes there may be; more are `EFBIG`.
package func readToEnd(of file: Int32, _ name: String, limit: Int = 1 << 20) throws(SystemError) -> [UInt8] {
    var bytes: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 16 << 10)
    while true {
        let count = read(file, &buffer, buffer.count)
        if count < 0, errno == EINTR { continue }
        guard count >= 0 else { throw .current("read \(name)") }
        if count == 0 { return bytes }
        bytes.append(contentsOf: buffer[..<count])
        guard bytes.count <= limit else { throw SystemError(errno: EFBIG, operation: "read \(name)") }
    }
}

/// Makes a file, in the place of what has its name now. There is none when this fails.
/// - Parameter synchronizes: whether it is on the disk when this returns; else it outlives this process, but not always
///   a loss of power.
package func makeFile(
    _ path: String, _ bytes: [UInt8], mode: mode_t = 0o600, synchronizes: Bool = true
) throws(SystemError) {
    unlink(path)
    let file = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode)
    guard file >= 0 else { throw .current("open \(path)") }
    do throws(SystemError) {
        defer { close(file) }
        try writeAll(bytes, to: file, path)
        if synchronizes { try synchronize(file, path) }
    } catch {
        unlink(path)
        throw error
    }
}

/// Replaces a file whole: whoever reads it sees the old bytes or the new ones, never some of each.
/// - Parameter synchronizes: as with `makeFile`; without it a loss of power may leave an empty file.
package func writeFile(
    _ path: String, _ bytes: [UInt8], mode: mode_t = 0o600, synchronizes: Bool = true
) throws(SystemError) {
    let temporary = "\(path).\(getpid()).new"
    try makeFile(temporary, bytes, mode: mode, synchronizes: synchronizes)
    guard rename(temporary, path) == 0 else {
        let error = SystemError.current("rename \(temporary)")
        unlink(temporary)
        throw error
    }
}

/// Writes all bytes to a descriptor that blocks.
package func writeAll(_ bytes: [UInt8], to file: Int32, _ name: String) throws(SystemError) {
    var offset = 0
    while offset < bytes.count {
        let count = bytes.withUnsafeBytes { write(file, $0.baseAddress! + offset, bytes.count - offset) }
        if count < 0, errno == EINTR { continue }
        guard count > 0 else { throw .current("write \(name)") }
        offset += count
    }
}

/// Removes a file, or a folder with all in it, as far as that can be done. Links are removed, not followed.
package func removeTree(_ path: String) {
    var information = stat()
    guard lstat(path, &information) == 0 else { return }
    if information.st_mode & S_IFMT == S_IFDIR {
        for name in folderEntries(path) ?? [] { removeTree(path + "/" + name) }
        rmdir(path)
    } else {
        unlink(path)
    }
}

/// Has the bytes of an open file on the disk when it returns.
package func synchronize(_ file: Int32, _ name: String) throws(SystemError) {
    while fsync(file) != 0 {
        guard errno == EINTR else { throw .current("fsync \(name)") }
    }
}

/// Has a folder's entries on the disk when it returns.
package func synchronize(folder path: String) throws(SystemError) {
    let folder = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    guard folder >= 0 else { throw .current("open \(path)") }
    defer { close(folder) }
    // EINVAL: a file system that doesn't know it.
    guard fsync(folder) == 0 || errno == EINVAL else { throw .current("fsync \(path)") }
}

/// Adds bytes at the end of a file, which is made with mode 0600 when it is missing; they are on the disk when this
/// returns.
package func appendFile(_ path: String, _ bytes: [UInt8]) throws(SystemError) {
    let file = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0o600)
    guard file >= 0 else { throw .current("open \(path)") }
    defer { close(file) }
    var information = stat()
    guard fstat(file, &information) == 0 else { throw .current("stat \(path)") }
    guard information.st_mode & S_IFMT == S_IFREG else { throw SystemError(errno: EINVAL, operation: "write \(path)") }
    try writeAll(bytes, to: file, path)
    try synchronize(file, path)
}

/// What tells whether a file has changed since it was looked at: replaced, written to, or grown.
package struct FileSignature: Equatable, Sendable {
    private var inode: UInt64
    private var size: Int64
    private var seconds: Int
    private var nanoseconds: Int

    /// Nil when there is no such file.
    package init?(_ path: String) {
        var information = stat()
        guard stat(path, &information) == 0 else { return nil }
        inode = UInt64(information.st_ino)
        size = Int64(information.st_size)
        seconds = Int(information.st_mtim.tv_sec)
        nanoseconds = Int(information.st_mtim.tv_nsec)
    }
}

/// The nearest folder above `path`, symbolic links followed, in which somebody else could put something of theirs in its
/// place; nil when there is none. Owners may be this user, root, and the one that user namespaces show for unknown ones.
package func untrustedAncestor(of path: String) -> String? {
    var resolved = path
    if let real = realpath(path, nil) {
        resolved = String(cString: real)
        free(real)
    }
    for start in Set([path, resolved]).sorted() {
        var folder = start
        while folder != "/", let parent = folder.parentPath {
            folder = parent
            var information = stat()
            guard stat(folder, &information) == 0 else { continue }
            let isOurs = [geteuid(), 0, 65534].contains(information.st_uid)
            // In a sticky folder only the owner of an entry can rename or remove it.
            let isSticky = information.st_mode & S_ISVTX != 0
            let isOpen =
                information.st_mode & S_IWOTH != 0
                || (information.st_mode & S_IWGRP != 0 && information.st_gid != getegid() && information.st_gid != 0)
            if !isOurs || (isOpen && !isSticky) { return folder }
        }
    }
    return nil
}
