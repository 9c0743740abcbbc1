/// Why an archive can't be read, or made.
package struct ArchiveError: Error, Equatable, Sendable, CustomStringConvertible {
    package enum Code: String, Sendable {
        /// Not what it should be: a wrong checksum, a block cut off, bytes that mean nothing.
        case damaged
        /// Something in it must not be unpacked: a path that leads out, a link, a device.
        case unsafe
        /// More entries or bytes than allowed.
        case tooLarge
        /// Something else must come first.
        case refused
        /// The file it is read from or written to.
        case inputOutput
    }

    package let code: Code
    package let message: String

    package init(_ code: Code, _ message: String) {
        self.code = code
        self.message = message
    }

    package var description: String { message }
}

extension [UInt8] {
    /// Lends the bytes to what may fail as reading and writing archives does.
    package func withBytes<Value>(
        _ body: (UnsafeRawBufferPointer) throws(ArchiveError) -> Value
    ) throws(ArchiveError) -> Value {
        try withUnsafeBufferPointer { bytes throws(ArchiveError) in try body(UnsafeRawBufferPointer(bytes)) }
    }
}
