/// Why a text is no key or no signature.
package struct SignatureError: Error, Equatable, Sendable, CustomStringConvertible {
    package let message: String

    init(_ message: String) {
        self.message = message
    }

    package var description: String { message }
}
