/// An Ed25519 signature over bytes that lie elsewhere, in signify's format.
package struct DetachedSignature: Hashable, Sendable {
    /// Which key made it, as the signature says: a name, no proof.
    package let keyNumber: [UInt8]
    /// 64 bytes.
    package let bytes: [UInt8]

    /// Bytes of a signature's text, at most.
    package static let textLimit = 4 << 10
    static let signatureBytes = 64

    /// - Parameter text: two lines, each with its end, and nothing after them.
    package init(text: String) throws(SignatureError) {
        guard text.utf8.count <= DetachedSignature.textLimit else {
            throw SignatureError("a signature isn't that large")
        }
        var rest = Array(text.utf8)[...]
        let parts = try SignifyText.take(from: &rest, "signature", contentBytes: DetachedSignature.signatureBytes)
        guard rest.isEmpty else { throw SignatureError("there is something behind the signature") }
        keyNumber = parts.keyNumber
        bytes = parts.content
    }
}
