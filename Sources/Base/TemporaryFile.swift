import Glibc

/// A file without a name, for bytes that need a place until they are worked on. It is gone with the last reference, and
/// with the process however that ends. Belongs to one thread at a time.
package final class TemporaryFile: @unchecked Sendable {
    package let descriptor: Int32
    /// Bytes written so far.
    package private(set) var size = 0

    /// Linux's `O_TMPFILE`, which the Glibc module leaves out.
    private static let nameless: Int32 = 0o20_000_000 | O_DIRECTORY

    /// - Parameter directory: on whose file system it lies.
    package init(in directory: String) throws(SystemError) {
        var descriptor = open(directory, TemporaryFile.nameless | O_RDWR | O_CLOEXEC, 0o600)
        if descriptor < 0, errno == EOPNOTSUPP || errno == EISDIR || errno == EINVAL {
            // A file system without nameless files: one whose name is taken away at once.
            let path = "\(directory)/.\(randomUUID()).tmp"
            descriptor = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0o600)
            if descriptor >= 0 { unlink(path) }
        }
        guard descriptor >= 0 else { throw .current("make a temporary file in \(directory)") }
        self.descriptor = descriptor
    }

    deinit { close(descriptor) }

    /// Writes behind what is there.
    package func append(_ bytes: UnsafeRawBufferPointer) throws(SystemError) {
        var done = 0
        while done < bytes.count {
            let count = pwrite(descriptor, bytes.baseAddress! + done, bytes.count - done, off_t(size))
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { throw .current("write a temporary file") }
            done += count
            size += count
        }
    }

    /// As much of the range as there is.
    package func read(from offset: Int, count: Int) throws(SystemError) -> [UInt8] {
        try readAll(descriptor, from: offset, count: count)
    }
}

/// Reads from a descriptor that has an offset of its own for nobody: as much of the range as there is.
package func readAll(_ descriptor: Int32, from offset: Int, count: Int) throws(SystemError) -> [UInt8] {
    var failure: SystemError?
    let bytes = [UInt8](unsafeUninitializedCapacity: count) { buffer, filled in
        while filled < count {
            let got = pread(descriptor, buffer.baseAddress! + filled, count - filled, off_t(offset + filled))
            if got < 0, errno == EINTR { continue }
            if got < 0 { failure = .current("read") }
            if got <= 0 { return }
            filled += got
        }
    }
    if let failure { throw failure }
    return bytes
}
