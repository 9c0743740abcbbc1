import Base
import Glibc

/// A file of this machine that is fetched as one from elsewhere is.
final class SourceFile {
    let size: Int
    private let file: Int32
    private let path: String

    init(_ location: Location) throws(DownloadError) {
        path = location.filePath
        // Without O_NONBLOCK a FIFO would be waited for.
        file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard file >= 0 else {
            let error = errno
            guard error != ENOENT, error != ENOTDIR else { throw DownloadError(.absent, "\(path) isn't there") }
            throw DownloadError(.unreachable, "\(path) can't be read: \(SystemError.text(of: error))", reach: .mirror)
        }
        var information = stat()
        guard fstat(file, &information) == 0, information.st_mode & S_IFMT == S_IFREG else {
            throw DownloadError(.unreachable, "\(path) is no file", reach: .mirror)
        }
        size = Int(information.st_size)
    }

    deinit { close(file) }

    /// Reads to the end, piece by piece, each lent for the time of the call.
    func read(from start: Int, _ take: (UnsafeRawBufferPointer) throws(DownloadError) -> Void) throws(DownloadError) {
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 64 << 10, alignment: 16)
        defer { buffer.deallocate() }
        var offset = start
        while true {
            let count = pread(file, buffer.baseAddress, buffer.count, off_t(offset))
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else {
                let error = errno
                throw DownloadError(.unreachable, "\(path) can't be read: \(SystemError.text(of: error))")
            }
            if count == 0 { return }
            offset += count
            try take(UnsafeRawBufferPointer(rebasing: buffer[..<count]))
        }
    }
}
