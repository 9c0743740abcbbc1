import Base
import Glibc
import JSON

/// The lines that the person sent, kept over runs in `terminal/history.jsonl` of the home: one JSON text a line, for
/// nobody else's eyes (0600).
///
/// Lines are appended, so that several terminals share it; what is beyond the limit is cut off at a start. What can't be
/// read or written is left alone: nothing depends on it.
struct HistoryFile: Sendable {
    let path: String
    /// Lines that are kept; 0: none are read or written.
    let limit: Int

    /// A longer line is not kept.
    static let lineLimit = 16 << 10
    private static let byteLimit = 16 << 20

    /// - Parameter home: the daemon's folder.
    init(home: String, limit: Int) {
        path = home + "/terminal/history.jsonl"
        self.limit = limit
    }

    /// What `CODEAI_HUB_HISTORY` says, else 1000.
    static func limit(environment: (String) -> String?) -> Int {
        guard let text = environment("CODEAI_HUB_HISTORY"), let number = Int(text), number >= 0 else { return 1000 }
        return min(number, 100_000)
    }

    func load() -> [String] {
        guard limit > 0, let fd = open(flags: O_RDWR) else { return [] }
        defer { Glibc.close(fd) }
        flock(fd, LOCK_EX)
        var info = stat()
        guard fstat(fd, &info) == 0 else { return [] }
        let isHuge = info.st_size > HistoryFile.byteLimit
        // Of a file that is too large the end counts; the line that is cut is dropped below.
        if isHuge { lseek(fd, info.st_size - off_t(HistoryFile.byteLimit / 2), SEEK_SET) }
        guard let bytes = read(fd) else { return [] }
        let all = bytes.split(separator: 0x0a).dropFirst(isHuge ? 1 : 0)
        let kept = all.suffix(limit)
        // Twice the limit, so that it isn't written anew each time.
        if isHuge || all.count > limit * 2 {
            // In place, under the lock: another terminal may have it open for appending.
            ftruncate(fd, 0)
            lseek(fd, 0, SEEK_SET)
            append(fd, kept.flatMap { $0 + [0x0a] })
        }
        return kept.compactMap { (try? JSON.parse(Array($0)))?.stringValue }
    }

    func add(_ lines: [String]) {
        let kept = lines.filter { $0.utf8.count <= HistoryFile.lineLimit }
        guard limit > 0, !kept.isEmpty, let fd = open(flags: O_WRONLY | O_APPEND | O_CREAT) else { return }
        defer { Glibc.close(fd) }
        flock(fd, LOCK_EX)
        append(fd, kept.flatMap { JSON($0).serialize() + [0x0a] })
    }

    /// Nil for anything but a file that belongs to this user and that nobody else can write to.
    private func open(flags: Int32) -> Int32? {
        if flags & O_CREAT != 0 { mkdir(path.split(separator: "/").dropLast().reduce("") { $0 + "/" + $1 }, 0o700) }
        // Non-blocking: a FIFO put there must not hold the program.
        let fd = Glibc.open(path, flags | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK, 0o600)
        guard fd >= 0 else { return nil }
        var info = stat()
        guard fstat(fd, &info) == 0, info.st_mode & S_IFMT == S_IFREG, info.st_uid == geteuid(),
            info.st_mode & 0o022 == 0
        else {
            Glibc.close(fd)
            return nil
        }
        return fd
    }

    private func read(_ fd: Int32) -> [UInt8]? {
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 64 << 10)
        while bytes.count <= HistoryFile.byteLimit {
            let count = Glibc.read(fd, &chunk, chunk.count)
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { return count == 0 ? bytes : nil }
            bytes.append(contentsOf: chunk[..<count])
        }
        return nil
    }

    private func append(_ fd: Int32, _ bytes: [UInt8]) {
        var sent = 0
        while sent < bytes.count {
            let count = bytes[sent...].withUnsafeBytes { write(fd, $0.baseAddress, $0.count) }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { return }
            sent += count
        }
    }
}
