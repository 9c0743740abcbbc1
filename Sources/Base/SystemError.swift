import Glibc

/// A system call that failed: which one, and what the kernel answered.
package struct SystemError: Error, Equatable, CustomStringConvertible, Sendable {
    /// The value of `errno` right after the call.
    package let errno: Int32
    /// What was attempted, as a reader would say it: `open /path`, `epoll_wait`.
    package let operation: String

    package init(errno: Int32, operation: String) {
        self.errno = errno
        self.operation = operation
    }

    /// The error of the call that has just failed on this thread.
    package static func current(_ operation: String) -> SystemError {
        SystemError(errno: Glibc.errno, operation: operation)
    }

    package var description: String { "\(operation): \(SystemError.text(of: errno))" }

    /// The kernel's text for an error number, for example `No such file or directory`.
    package static func text(of errno: Int32) -> String {
        var buffer = [CChar](repeating: 0, count: 256)
        // The POSIX variant, which always fills the buffer and ends it with NUL.
        guard strerror_r(errno, &buffer, buffer.count) == 0 else { return "error \(errno)" }
        return String(decoding: buffer.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
    }
}
