package import Base

/// What the log asks of the file system, thin enough that tests can put faults between.
///
/// Descriptors mean something only to the file system that gave them. Used from the loop's thread and, in power mode,
/// from the writer's.
package protocol LogFileSystem: AnyObject, Sendable {
    /// The user whose files are trusted.
    var user: UInt32 { get }
    /// Never follows a symbolic link in the last component, never waits for a FIFO's other end.
    func open(_ path: String, _ access: FileAccess) throws(SystemError) -> Int32
    func close(_ fd: Int32)
    func status(_ fd: Int32) throws(SystemError) -> FileStatus
    /// What can be asked before every write without slowing it down.
    func extent(_ fd: Int32) throws(SystemError) -> FileExtent
    /// Of the link itself when the path is one.
    func status(path: String) throws(SystemError) -> FileStatus
    /// How many bytes were read; 0 at the file's end.
    func read(_ fd: Int32, into buffer: UnsafeMutableRawBufferPointer, at offset: Int) throws(SystemError) -> Int
    /// How many bytes were written, at least 1.
    func write(_ fd: Int32, _ bytes: UnsafeRawBufferPointer, at offset: Int) throws(SystemError) -> Int
    func truncate(_ fd: Int32, to size: Int) throws(SystemError)
    /// Returns when the data and the size are on stable storage.
    func synchronize(_ fd: Int32) throws(SystemError)
    /// Returns when the directory's entries are on stable storage.
    func synchronize(directory: String) throws(SystemError)
    func setPermissions(_ path: String, _ mode: UInt32) throws(SystemError)
    func rename(_ from: String, to: String) throws(SystemError)
    func remove(_ path: String) throws(SystemError)
    func removeDirectory(_ path: String) throws(SystemError)
    /// Mode 0700; EEXIST when it is there already.
    func makeDirectory(_ path: String) throws(SystemError)
    func entries(of directory: String) throws(SystemError) -> [DirectoryEntry]
}

package enum FileAccess: Sendable {
    case read
    case readWrite
    /// A new file with mode 0600; EEXIST when there is anything of that name.
    case create
}

package struct FileStatus: Equatable, Sendable {
    package enum Kind: Sendable { case regular, directory, symbolicLink, other }

    package var kind: Kind
    package var owner: UInt32
    package var permissions: UInt32
    package var size: Int
    package var modifiedNanoseconds: Int64
    package var inode: UInt64
    /// Names that the file has; 0 when it was removed while open.
    package var links: UInt64

    package init(
        kind: Kind, owner: UInt32, permissions: UInt32, size: Int, modifiedNanoseconds: Int64, inode: UInt64,
        links: UInt64 = 1
    ) {
        self.kind = kind
        self.owner = owner
        self.permissions = permissions
        self.size = size
        self.modifiedNanoseconds = modifiedNanoseconds
        self.inode = inode
        self.links = links
    }
}

/// What of a file's status has no times in it.
package struct FileExtent: Equatable, Sendable {
    package var size: Int
    package var inode: UInt64
    /// Names that the file has; 0 when it was removed while open.
    package var links: UInt64

    package init(size: Int, inode: UInt64, links: UInt64) {
        self.size = size
        self.inode = inode
        self.links = links
    }
}

package struct DirectoryEntry: Sendable {
    package var name: String
    package var status: FileStatus

    package init(name: String, status: FileStatus) {
        self.name = name
        self.status = status
    }
}

extension LogFileSystem {
    /// Writes all of it, however many calls that takes.
    func writeAll(_ fd: Int32, _ bytes: UnsafeRawBufferPointer, at offset: Int) throws(SystemError) {
        var done = 0
        while done < bytes.count {
            done += try write(fd, UnsafeRawBufferPointer(rebasing: bytes[done...]), at: offset + done)
        }
    }

    func writeAll(_ fd: Int32, _ bytes: [UInt8], at offset: Int) throws(SystemError) {
        try bytes.withUnsafeBufferPointer { buffer throws(SystemError) in
            try writeAll(fd, UnsafeRawBufferPointer(buffer), at: offset)
        }
    }

    /// As much of the range as there is.
    package func readAll(_ fd: Int32, _ range: Range<Int>) throws(SystemError) -> [UInt8] {
        var failure: SystemError?
        let bytes = [UInt8](unsafeUninitializedCapacity: range.count) { buffer, count in
            let raw = UnsafeMutableRawBufferPointer(buffer)
            do throws(SystemError) {
                while count < range.count {
                    let got = try read(
                        fd, into: UnsafeMutableRawBufferPointer(rebasing: raw[count...]),
                        at: range.lowerBound + count)
                    if got == 0 { break }
                    count += got
                }
            } catch {
                failure = error
            }
        }
        if let failure { throw failure }
        return bytes
    }

    /// The whole of a file that is read at once, such as the index; nil when there is none.
    func contents(of path: String, limit: Int) throws(SystemError) -> [UInt8]? {
        let fd: Int32
        do throws(SystemError) {
            fd = try open(path, .read)
        } catch {
            if error.isNotFound { return nil }
            throw error
        }
        defer { close(fd) }
        let status = try status(fd)
        guard status.kind == .regular, status.owner == user, status.size <= limit else { return nil }
        return try readAll(fd, 0..<status.size)
    }
}
