package import Base

/// Why a server cannot listen.
package struct ServerError: Error, Equatable, Sendable, CustomStringConvertible {
    package enum Code: String, Sendable {
        /// Somebody else listens there.
        case addressInUse = "address_in_use"
        /// Not an address of this machine, or not a numeric one.
        case addressNotAvailable = "address_not_available"
        /// A port below 1024 without the right to it.
        case permissionDenied = "permission_denied"
        /// Everybody on the network could connect, without encryption.
        case notLoopback = "not_loopback"
        case system = "system"
    }

    package let code: Code
    package let message: String
    package let cause: SystemError?

    package init(_ code: Code, _ message: String, cause: SystemError? = nil) {
        self.code = code
        self.message = message
        self.cause = cause
    }

    package var description: String { cause.map { "\(message) (\($0))" } ?? message }
}
