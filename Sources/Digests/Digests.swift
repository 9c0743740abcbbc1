import COpenSSL

/// The SHA-1 of bytes (FIPS 180-4): 20 bytes. For protocols that ask for it, never for secrets.
package func sha1(_ bytes: [UInt8]) -> [UInt8] {
    [UInt8](unsafeUninitializedCapacity: Int(SHA_DIGEST_LENGTH)) { buffer, initialized in
        SHA1(bytes, bytes.count, buffer.baseAddress)
        initialized = Int(SHA_DIGEST_LENGTH)
    }
}

/// The SHA-256 of bytes (FIPS 180-4): 32 bytes.
package func sha256(_ bytes: [UInt8]) -> [UInt8] {
    [UInt8](unsafeUninitializedCapacity: Int(SHA256_DIGEST_LENGTH)) { buffer, initialized in
        SHA256(bytes, bytes.count, buffer.baseAddress)
        initialized = Int(SHA256_DIGEST_LENGTH)
    }
}
