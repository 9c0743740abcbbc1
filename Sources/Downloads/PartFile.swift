import Base
import Digests
import Glibc

/// The bytes of a file that is still coming: `NAME.part`, which outlives the process, so that the next one goes on.
///
/// It doesn't say whose bytes they are. That is no matter: they are compared by their sum when all are there, and are
/// thrown away when it is wrong.
final class PartFile {
    /// Bytes there are, on disk or on the way to it.
    private(set) var size: Int
    private let path: String
    private let file: Int32
    private var sum = SHA256Stream()
    private var buffer: [UInt8] = []
    /// Many small pieces are written as one.
    private static let bufferBytes = 256 << 10

    /// Opens the part, or makes it. While it is open nobody else can.
    /// - Parameters:
    ///   - size: of the whole file. What is longer than that is no part of it.
    ///   - check: called while what there is is read; it throws to end that.
    init(_ path: String, of size: Int, check: () throws(DownloadError) -> Void) throws(DownloadError) {
        self.path = path
        // Without O_NONBLOCK a FIFO would be waited for.
        file = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0o600)
        guard file >= 0 else { throw PartFile.failure(path) }
        self.size = 0
        buffer.reserveCapacity(PartFile.bufferBytes)
        try lock(check)
        var information = stat()
        guard fstat(file, &information) == 0 else { throw PartFile.failure(path) }
        // A second name would see what is written here.
        guard information.st_mode & S_IFMT == S_IFREG, information.st_nlink == 1 else {
            throw DownloadError(.inputOutput, "\(path) is in the way: it is no plain file")
        }
        if Int(information.st_size) > size { try restart() }
        try readBack(check)
        try makeSure(room: size - self.size)
    }

    deinit { close(file) }

    /// Adds bytes behind what is there.
    func append(_ bytes: UnsafeRawBufferPointer) throws(DownloadError) {
        if buffer.count + bytes.count > PartFile.bufferBytes { try flush() }
        sum.update(bytes)
        buffer.append(contentsOf: bytes)
        size += bytes.count
    }

    /// Has everything written; to be called at the end of each attempt, so that what came is kept.
    func flush() throws(DownloadError) {
        var done = 0
        let start = size - buffer.count
        while done < buffer.count {
            let count = buffer.withUnsafeBytes {
                pwrite(file, $0.baseAddress! + done, $0.count - done, off_t(start + done))
            }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else {
                let error = PartFile.failure(path)
                // The sum is of more than there is: this part ends here, the next process reads it anew.
                buffer = []
                throw error
            }
            done += count
        }
        buffer.removeAll(keepingCapacity: true)
    }

    /// Throws away what there is.
    func restart() throws(DownloadError) {
        buffer.removeAll(keepingCapacity: true)
        guard ftruncate(file, 0) == 0 else { throw PartFile.failure(path) }
        size = 0
        sum = SHA256Stream()
    }

    /// The SHA-256 of all there is.
    var digest: [UInt8] {
        var copy = sum
        return copy.finish()
    }

    /// Gives the whole file its name, in the place of what has it now. It is on the disk when this returns.
    func publish(as name: String) throws(DownloadError) {
        try flush()
        do throws(SystemError) {
            try synchronize(file, path)
            guard rename(path, name) == 0 else { throw .current("rename \(path)") }
            try synchronize(folder: name.parentPath ?? ".")
        } catch {
            throw PartFile.failure(name, error.errno)
        }
    }

    /// Waits a moment for another process, since a child that was just started can hold a lock that was given up.
    private func lock(_ check: () throws(DownloadError) -> Void) throws(DownloadError) {
        for _ in 0..<50 {
            if flock(file, LOCK_EX | LOCK_NB) == 0 { return }
            guard errno == EWOULDBLOCK || errno == EINTR else { throw PartFile.failure(path) }
            try check()
            usleep(20_000)
        }
        throw DownloadError(.inputOutput, "another process is downloading \(path): wait until it is done")
    }

    /// Sums up what an earlier process has left.
    private func readBack(_ check: () throws(DownloadError) -> Void) throws(DownloadError) {
        var bytes = [UInt8](repeating: 0, count: PartFile.bufferBytes)
        while true {
            try check()
            let count = pread(file, &bytes, bytes.count, off_t(size))
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { throw PartFile.failure(path) }
            if count == 0 { return }
            bytes.withUnsafeBytes { sum.update(UnsafeRawBufferPointer(rebasing: $0[..<count])) }
            size += count
        }
    }

    /// Says at once that a disk is too full, rather than when it is.
    private func makeSure(room: Int) throws(DownloadError) {
        var information = statvfs()
        guard fstatvfs(file, &information) == 0, information.f_blocks > 0 else { return }
        let free = Int(
            clamping: UInt64(information.f_bavail).multipliedReportingOverflow(by: UInt64(information.f_frsize))
                .partialValue)
        guard free < room else { return }
        throw DownloadError(
            .inputOutput,
            "there is no room for \(path): \(room) bytes are to come, \(free) are free. Make room and try again")
    }

    private static func failure(_ path: String, _ error: Int32 = errno) -> DownloadError {
        let advice =
            switch error {
            case ENOSPC, EDQUOT: "the disk is full: make room and try again; what came is kept"
            case EROFS: "the file system is read-only"
            case EACCES, EPERM: "this user may not write there (\(SystemError.text(of: error)))"
            case ENOENT: "its folder isn't there"
            case ELOOP: "it is a symbolic link, which is not followed"
            default: SystemError.text(of: error)
            }
        return DownloadError(.inputOutput, "\(path) can't be written: \(advice)")
    }
}
