/// The SHA-1 of bytes (FIPS 180-4): 20 bytes. For protocols that ask for it, never for secrets.
package func sha1(_ bytes: [UInt8]) -> [UInt8] {
    var stream = SHA1Stream()
    stream.update(bytes)
    return stream.finish()
}

/// The SHA-256 of bytes (FIPS 180-4): 32 bytes.
package func sha256(_ bytes: [UInt8]) -> [UInt8] {
    var stream = SHA256Stream()
    stream.update(bytes)
    return stream.finish()
}
