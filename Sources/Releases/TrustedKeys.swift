import Base
package import Signatures

/// The public keys whose signatures of a manifest count.
package struct TrustedKeys: Sendable {
    package let keys: [PublicKey]

    package init(_ keys: [PublicKey]) { self.keys = keys }

    /// Those inside the program, and those of the person's own files.
    ///
    /// - Parameter files: each with one or more keys, one after the other.
    /// - Throws: `keyInvalid`: a key that was asked for and can't be read must not be overlooked.
    package init(files: [String]) throws(ReleaseError) {
        var keys = try TrustedKeys.keys(
            in: String(decoding: PackageResources.release_keys_pub, as: UTF8.self), "inside the program")
        for file in files {
            let bytes: [UInt8]
            do throws(SystemError) {
                bytes = try readFile(file, limit: 64 << 10)
            } catch {
                throw ReleaseError(.keyInvalid, "the file of keys can't be read: \(error)")
            }
            keys += try TrustedKeys.keys(in: String(decoding: bytes, as: UTF8.self), file)
        }
        self.keys = keys
    }

    private static func keys(in text: String, _ name: String) throws(ReleaseError) -> [PublicKey] {
        do throws(SignatureError) {
            return try PublicKey.keys(in: text)
        } catch {
            throw ReleaseError(.keyInvalid, "\(name): \(error)")
        }
    }
}
