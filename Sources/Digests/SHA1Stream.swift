import COpenSSL

/// The SHA-1 (FIPS 180-4) of bytes that come piece by piece. For protocols that ask for it, never for secrets.
package struct SHA1Stream: Sendable {
    private var context = SHA_CTX()

    package init() { SHA1_Init(&context) }

    package mutating func update(_ bytes: UnsafeRawBufferPointer) {
        guard let start = bytes.baseAddress else { return }
        SHA1_Update(&context, start, bytes.count)
    }

    package mutating func update(_ bytes: [UInt8]) { bytes.withUnsafeBytes { update($0) } }

    /// The digest of all that came, 20 bytes. To be asked for once.
    package mutating func finish() -> [UInt8] {
        var digest = [UInt8](repeating: 0, count: Int(SHA_DIGEST_LENGTH))
        SHA1_Final(&digest, &context)
        return digest
    }
}
