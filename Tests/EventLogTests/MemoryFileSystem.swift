import Base
import EventLog
import Glibc

/// A file system in memory that fails on demand and can lose power.
///
/// The page cache and the stable storage are kept apart: what was written since a file's last good `synchronize` is a
/// list of operations, of which a power loss keeps an arbitrary part. A failed `synchronize` drops that list, as Linux
/// does: the pages count as clean, and a later call that succeeds says nothing of them.
final class MemoryFileSystem: LogFileSystem {
    enum Operation {
        case write(Int, [UInt8])
        case truncate(Int)

        func apply(to bytes: inout [UInt8]) {
            switch self {
            case .write(let offset, let data):
                if bytes.count < offset + data.count {
                    bytes += [UInt8](repeating: 0, count: offset + data.count - bytes.count)
                }
                bytes.replaceSubrange(offset..<offset + data.count, with: data)
            case .truncate(let size):
                if size < bytes.count {
                    bytes.removeLast(bytes.count - size)
                } else {
                    bytes += [UInt8](repeating: 0, count: size - bytes.count)
                }
            }
        }
    }

    struct File {
        var inode: UInt64
        var kind = FileStatus.Kind.regular
        var owner: UInt32 = 1000
        var permissions: UInt32 = 0o600
        var modified: Int64 = 1
        var cached: [UInt8] = []
        var stable: [UInt8] = []
        var unsynced: [Operation] = []
        var isNameStable = false
    }

    struct Faults {
        /// Writes beyond so many bytes fail with ENOSPC, after a part was written.
        var room = Int.max
        /// So many of the next writes fail with EIO.
        var failingWrites = 0
        var failingSyncs = 0
        var failingDirectorySyncs = 0
        var failingTruncates = 0
        var failingReads = 0
        /// The longest that one call writes.
        var longestWrite = Int.max
        /// So many more calls change something; then the process is dead. A write is cut off somewhere by that.
        var callsUntilDeath = Int.max
    }

    struct State {
        var files: [String: File] = [:]
        var open: [Int32: UInt64] = [:]
        var nextDescriptor: Int32 = 1000
        var nextInode: UInt64 = 1
        var clock: Int64 = 1
        var faults = Faults()
        var bytesRead = 0
        /// Calls that changed something, or tried to.
        var changes = 0
        /// Nothing works any more, and nothing changes any more.
        var isDead = false

        /// Counts a call that changes something; false when the process doesn't live to see its end.
        mutating func mayChange() -> Bool {
            guard !isDead else { return false }
            changes += 1
            guard faults.callsUntilDeath != .max else { return true }
            faults.callsUntilDeath -= 1
            if faults.callsUntilDeath < 0 { isDead = true }
            return !isDead
        }

        func path(of fd: Int32) -> String? {
            guard let inode = open[fd] else { return nil }
            return files.first { $0.value.inode == inode }?.key
        }
    }

    private let state = Lock(State())
    let user: UInt32 = 1000

    func with<Result>(_ body: (inout State) throws -> Result) rethrows -> Result { try state.withLock(body) }

    var faults: Faults {
        get { with { $0.faults } }
        set { with { $0.faults = newValue } }
    }

    subscript(path: String) -> [UInt8]? {
        get { with { $0.files[path]?.cached } }
        set {
            with { state in
                guard let newValue else {
                    state.files[path] = nil
                    return
                }
                if state.files[path] == nil {
                    state.files[path] = File(inode: state.nextInode)
                    state.nextInode += 1
                }
                state.clock += 1
                state.files[path]?.cached = newValue
                state.files[path]?.stable = newValue
                state.files[path]?.unsynced = []
                state.files[path]?.isNameStable = true
                state.files[path]?.modified = state.clock
            }
        }
    }

    /// What the next process finds after the death of this one. Whatever the dead one still does has no effect there.
    func afterDeath() -> MemoryFileSystem {
        let next = MemoryFileSystem()
        with { state in
            state.isDead = true
            var survivor = State()
            survivor.files = state.files.filter { !$0.key.hasPrefix(MemoryFileSystem.nameless) }
            survivor.nextInode = state.nextInode
            survivor.clock = state.clock
            next.with { $0 = survivor }
        }
        return next
    }

    /// Where files go that are removed while somebody has them open.
    private static let nameless = "\0"

    private static func remove(_ path: String, from state: inout State) -> Bool {
        guard let file = state.files.removeValue(forKey: path) else { return false }
        if state.open.values.contains(file.inode) { state.files["\(nameless)\(file.inode)"] = file }
        return true
    }

    private static let died = SystemError(errno: EIO, operation: "live")

    /// The power goes and comes back: of what was not synced, an arbitrary part is there.
    func losePower(using random: inout some RandomNumberGenerator) {
        with { state in
            state.open = [:]
            for (path, file) in state.files where file.kind == .regular {
                var after = file
                if !file.isNameStable, Bool.random(using: &random) {
                    state.files[path] = nil
                    continue
                }
                after.cached = file.stable
                for operation in file.unsynced {
                    switch operation {
                    case .write(let offset, let data):
                        switch Int.random(in: 0..<4, using: &random) {
                        case 0: operation.apply(to: &after.cached)
                        case 1:
                            let length = Int.random(in: 0...data.count, using: &random)
                            Operation.write(offset, Array(data.prefix(length))).apply(to: &after.cached)
                        case 2:
                            // The size arrived, the data did not.
                            Operation.write(offset, [UInt8](repeating: 0, count: data.count)).apply(to: &after.cached)
                        default: break
                        }
                    case .truncate: if Bool.random(using: &random) { operation.apply(to: &after.cached) }
                    }
                }
                after.stable = after.cached
                after.unsynced = []
                after.isNameStable = true
                state.files[path] = after
            }
            state.faults = Faults()
        }
    }

    private func edit<Result>(
        _ operation: String, _ type: Result.Type = Result.self,
        _ body: (inout State) -> Swift.Result<Result, SystemError>
    ) throws(SystemError) -> Result {
        try with { body(&$0) }.get()
    }

    func open(_ path: String, _ access: FileAccess) throws(SystemError) -> Int32 {
        try edit("open") { state in
            if access == .create {
                guard state.mayChange() else { return .failure(MemoryFileSystem.died) }
                if state.files[path] != nil { return .failure(SystemError(errno: EEXIST, operation: "open \(path)")) }
                if state.faults.room <= 0 { return .failure(SystemError(errno: ENOSPC, operation: "open \(path)")) }
                state.files[path] = File(inode: state.nextInode)
                state.nextInode += 1
            }
            guard let file = state.files[path] else {
                return .failure(SystemError(errno: ENOENT, operation: "open \(path)"))
            }
            if file.kind == .symbolicLink { return .failure(SystemError(errno: ELOOP, operation: "open \(path)")) }
            if file.kind == .directory { return .failure(SystemError(errno: EISDIR, operation: "open \(path)")) }
            state.nextDescriptor += 1
            state.open[state.nextDescriptor] = file.inode
            return .success(state.nextDescriptor)
        }
    }

    func close(_ fd: Int32) {
        with { state in
            precondition(state.open.removeValue(forKey: fd) != nil, "descriptor \(fd) was closed twice")
        }
    }

    private static func status(_ file: File, path: String = "") -> FileStatus {
        FileStatus(
            kind: file.kind, owner: file.owner, permissions: file.permissions, size: file.cached.count,
            modifiedNanoseconds: file.modified, inode: file.inode, links: path.hasPrefix(nameless) ? 0 : 1)
    }

    func status(_ fd: Int32) throws(SystemError) -> FileStatus {
        try edit("status") { state in
            guard let path = state.path(of: fd), let file = state.files[path] else {
                return .failure(SystemError(errno: EBADF, operation: "fstat"))
            }
            return .success(MemoryFileSystem.status(file, path: path))
        }
    }

    func extent(_ fd: Int32) throws(SystemError) -> FileExtent {
        let status = try status(fd)
        return FileExtent(size: status.size, inode: status.inode, links: status.links)
    }

    func status(path: String) throws(SystemError) -> FileStatus {
        try edit("status") { state in
            guard let file = state.files[path] else { return .failure(SystemError(errno: ENOENT, operation: "stat")) }
            return .success(MemoryFileSystem.status(file))
        }
    }

    func read(_ fd: Int32, into buffer: UnsafeMutableRawBufferPointer, at offset: Int) throws(SystemError) -> Int {
        try edit("read") { state in
            guard let path = state.path(of: fd), let file = state.files[path] else {
                return .failure(SystemError(errno: EBADF, operation: "read"))
            }
            if state.faults.failingReads > 0 {
                state.faults.failingReads -= 1
                return .failure(SystemError(errno: EIO, operation: "read"))
            }
            guard offset < file.cached.count else { return .success(0) }
            let count = min(buffer.count, file.cached.count - offset)
            file.cached[offset..<offset + count].withUnsafeBytes { buffer.copyMemory(from: $0) }
            state.bytesRead += count
            return .success(count)
        }
    }

    func write(_ fd: Int32, _ bytes: UnsafeRawBufferPointer, at offset: Int) throws(SystemError) -> Int {
        try edit("write") { state in
            guard let path = state.path(of: fd) else { return .failure(SystemError(errno: EBADF, operation: "write")) }
            let isAlive = !state.isDead
            guard state.mayChange() else {
                // Cut off anywhere, when this is the moment.
                let part = isAlive ? state.changes * 7919 % (bytes.count + 1) : 0
                if part > 0 {
                    let operation = Operation.write(offset, Array(bytes[..<part]))
                    operation.apply(to: &state.files[path]!.cached)
                    state.files[path]!.unsynced.append(operation)
                }
                return .failure(MemoryFileSystem.died)
            }
            if state.faults.failingWrites > 0 {
                state.faults.failingWrites -= 1
                return .failure(SystemError(errno: EIO, operation: "write"))
            }
            let count = min(bytes.count, state.faults.longestWrite, max(0, state.faults.room))
            guard count > 0 else { return .failure(SystemError(errno: ENOSPC, operation: "write")) }
            if state.faults.room != .max { state.faults.room -= count }
            let operation = Operation.write(offset, Array(bytes[..<count]))
            state.clock += 1
            operation.apply(to: &state.files[path]!.cached)
            state.files[path]!.unsynced.append(operation)
            state.files[path]!.modified = state.clock
            return .success(count)
        }
    }

    func truncate(_ fd: Int32, to size: Int) throws(SystemError) {
        try edit("truncate", Void.self) { state in
            guard let path = state.path(of: fd) else { return .failure(SystemError(errno: EBADF, operation: "trunc")) }
            guard state.mayChange() else { return .failure(MemoryFileSystem.died) }
            if state.faults.failingTruncates > 0 {
                state.faults.failingTruncates -= 1
                return .failure(SystemError(errno: EIO, operation: "ftruncate"))
            }
            state.clock += 1
            Operation.truncate(size).apply(to: &state.files[path]!.cached)
            state.files[path]!.unsynced.append(.truncate(size))
            state.files[path]!.modified = state.clock
            return .success(())
        }
    }

    func synchronize(_ fd: Int32) throws(SystemError) {
        try edit("sync", Void.self) { state in
            guard let path = state.path(of: fd) else { return .failure(SystemError(errno: EBADF, operation: "sync")) }
            guard state.mayChange() else { return .failure(MemoryFileSystem.died) }
            if state.faults.failingSyncs > 0 {
                state.faults.failingSyncs -= 1
                state.files[path]!.unsynced = []
                return .failure(SystemError(errno: EIO, operation: "fdatasync"))
            }
            for operation in state.files[path]!.unsynced { operation.apply(to: &state.files[path]!.stable) }
            state.files[path]!.unsynced = []
            return .success(())
        }
    }

    func synchronize(directory: String) throws(SystemError) {
        try edit("sync", Void.self) { state in
            guard state.mayChange() else { return .failure(MemoryFileSystem.died) }
            if state.faults.failingDirectorySyncs > 0 {
                state.faults.failingDirectorySyncs -= 1
                return .failure(SystemError(errno: EIO, operation: "fsync"))
            }
            for path in state.files.keys where path.hasPrefix(directory + "/") {
                state.files[path]!.isNameStable = true
            }
            return .success(())
        }
    }

    func setPermissions(_ path: String, _ mode: UInt32) throws(SystemError) {
        with { $0.files[path]?.permissions = mode }
    }

    func rename(_ from: String, to: String) throws(SystemError) {
        try edit("rename", Void.self) { state in
            guard state.mayChange() else { return .failure(MemoryFileSystem.died) }
            guard let file = state.files.removeValue(forKey: from) else {
                return .failure(SystemError(errno: ENOENT, operation: "rename"))
            }
            _ = MemoryFileSystem.remove(to, from: &state)
            state.files[to] = file
            return .success(())
        }
    }

    func remove(_ path: String) throws(SystemError) {
        try edit("remove", Void.self) { state in
            guard state.mayChange() else { return .failure(MemoryFileSystem.died) }
            return MemoryFileSystem.remove(path, from: &state)
                ? .success(()) : .failure(SystemError(errno: ENOENT, operation: "unlink"))
        }
    }

    func removeDirectory(_ path: String) throws(SystemError) { try remove(path) }

    func makeDirectory(_ path: String) throws(SystemError) {
        try edit("mkdir", Void.self) { state in
            guard state.mayChange() else { return .failure(MemoryFileSystem.died) }
            if state.files[path] != nil { return .failure(SystemError(errno: EEXIST, operation: "mkdir")) }
            state.files[path] = File(inode: state.nextInode, kind: .directory, permissions: 0o700)
            state.nextInode += 1
            return .success(())
        }
    }

    func entries(of directory: String) throws(SystemError) -> [DirectoryEntry] {
        with { state in
            state.files.compactMap { path, file in
                guard path.hasPrefix(directory + "/") else { return nil }
                let name = String(path.dropFirst(directory.utf8.count + 1))
                return name.contains("/") ? nil : DirectoryEntry(name: name, status: MemoryFileSystem.status(file))
            }
        }
    }
}
