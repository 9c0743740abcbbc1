package import Base

/// Why a log can't be made, read or written.
package struct LogError: Error, Equatable, Sendable, CustomStringConvertible {
    package enum Code: String, Sendable {
        /// A session's identifier is 1 to 64 letters of `A-Z a-z 0-9 _ -`, and not `index`.
        case invalidIdentifier = "invalid_identifier"
        case notFound = "not_found"
        case alreadyExists = "already_exists"
        /// A symbolic link, directory, FIFO or device stands where the file should be, or somebody else owns it.
        case untrustedFile = "untrusted_file"
        /// The first line is no header of this session that this version can read.
        case unreadable = "unreadable"
        case closed = "closed"
        /// Something else removed committed bytes from the file while it was open. What is left can be read.
        case cutShort = "cut_short"
        /// The system refused; `cause` says what.
        case inputOutput = "input_output"
    }

    package let code: Code
    package let message: String
    package let cause: SystemError?

    package init(_ code: Code, _ message: String, cause: SystemError? = nil) {
        self.code = code
        self.message = message
        self.cause = cause
    }

    init(_ cause: SystemError) {
        self.init(.inputOutput, cause.description, cause: cause)
    }

    package var description: String { message }
}
