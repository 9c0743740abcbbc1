import COpenSSL

/// The SHA-1 of bytes (FIPS 180-4): 20 bytes. For protocols that ask for it, never for secrets.
package func sha1(_ bytes: [UInt8]) -> [UInt8] { digest(bytes, EVP_sha1(), length: 20) }

/// The SHA-256 of bytes (FIPS 180-4): 32 bytes.
package func sha256(_ bytes: [UInt8]) -> [UInt8] { digest(bytes, EVP_sha256(), length: 32) }

private func digest(_ bytes: [UInt8], _ algorithm: OpaquePointer?, length: Int) -> [UInt8] {
    [UInt8](unsafeUninitializedCapacity: length) { buffer, initialized in
        // Fails only when the library lacks the algorithm, and it has both in every build.
        let status = EVP_Digest(bytes, bytes.count, buffer.baseAddress, nil, algorithm, nil)
        precondition(status == 1, "OpenSSL offers no such digest")
        initialized = length
    }
}
