import Base
import COpenSSL

/// An Ed25519 public key (RFC 8032) in signify's format.
package struct PublicKey: Hashable, Sendable, CustomStringConvertible {
    /// 8 bytes that name the key. In the project's own keys they are the first of its SHA-256; signify chooses them at random.
    package let keyNumber: [UInt8]
    /// 32 bytes.
    package let bytes: [UInt8]

    /// Bytes of a text with keys, at most: more is no list of keys.
    package static let textLimit = 64 << 10
    private static let keyBytes = 32

    /// - Parameter text: exactly one key: two lines, each with its end.
    package init(text: String) throws(SignatureError) {
        let keys = try PublicKey.keys(in: text)
        guard keys.count == 1 else { throw SignatureError("there are \(keys.count) public keys where one is due") }
        self = keys[0]
    }

    private init(_ text: SignifyText) {
        keyNumber = text.keyNumber
        bytes = text.content
    }

    /// The keys of a text that has one after the other, at least one. Empty lines between them are allowed.
    package static func keys(in text: String) throws(SignatureError) -> [PublicKey] {
        guard text.utf8.count <= textLimit else { throw SignatureError("a file of public keys isn't that large") }
        var keys: [PublicKey] = []
        var rest = Array(text.utf8)[...]
        while true {
            rest = rest.drop { $0 == UInt8(ascii: "\n") }
            if rest.isEmpty { break }
            let text = try SignifyText.take(from: &rest, "public key", contentBytes: keyBytes)
            if let problem = WeakKey.problem(text.content) {
                throw SignatureError("the public key \(hexadecimal(text.keyNumber)) is not one to trust: \(problem)")
            }
            keys.append(PublicKey(text))
        }
        guard !keys.isEmpty else { throw SignatureError("there is no public key in it") }
        return keys
    }

    /// The key's number in hexadecimal, as it is shown to people.
    package var description: String { hexadecimal(keyNumber) }

    /// Whether the owner of this key made the signature, and over exactly these bytes.
    package func verify(_ signature: DetachedSignature, over message: [UInt8]) -> Bool {
        guard signature.keyNumber == keyNumber else { return false }
        return verify(signature.bytes, over: message)
    }

    /// The same for the bare signature, 64 bytes.
    package func verify(_ signature: [UInt8], over message: [UInt8]) -> Bool {
        guard signature.count == DetachedSignature.signatureBytes,
            let key = EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, nil, bytes, bytes.count)
        else { return false }
        defer { EVP_PKEY_free(key) }
        guard let context = EVP_MD_CTX_new() else { return false }
        defer { EVP_MD_CTX_free(context) }
        // Ed25519 has its digest built in.
        guard EVP_DigestVerifyInit(context, nil, nil, nil, key) == 1 else { return false }
        let isRight = EVP_DigestVerify(context, signature, signature.count, message, message.count) == 1
        // What a refusal leaves on the thread's queue would be taken for the reason of somebody else's failure.
        ERR_clear_error()
        return isRight
    }
}
