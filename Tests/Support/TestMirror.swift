import Base
import COpenSSL
import Digests
import Foundation
package import Installations
package import JSON

/// An Ed25519 key that signs as a release's does.
package struct TestKey: Sendable {
    private let seed: [UInt8]
    private let publicBytes: [UInt8]

    /// - Parameter number: another one is another key.
    package init(_ number: UInt8 = 1) {
        seed = (0..<32).map { $0 &+ number }
        publicBytes = TestKey.with(seed) { key in
            var bytes = [UInt8](repeating: 0, count: 32)
            var count = 32
            EVP_PKEY_get_raw_public_key(key, &bytes, &count)
            return bytes
        }
    }

    private var number: [UInt8] { Array(sha256(publicBytes).prefix(8)) }
    package var name: String { hexadecimal(number) }

    /// What a file of public keys has.
    package var publicText: String { TestKey.text("test key", number + publicBytes) }

    /// What a file `.sig` has.
    package func signature(of bytes: [UInt8]) -> String {
        let signature = TestKey.with(seed) { key in
            let context = EVP_MD_CTX_new()
            defer { EVP_MD_CTX_free(context) }
            var signature = [UInt8](repeating: 0, count: 64)
            var count = 64
            EVP_DigestSignInit(context, nil, nil, nil, key)
            EVP_DigestSign(context, &signature, &count, bytes, bytes.count)
            return signature
        }
        return TestKey.text("test signature", number + signature)
    }

    private static func text(_ comment: String, _ bytes: [UInt8]) -> String {
        "untrusted comment: \(comment)\n\(Data(Array("Ed".utf8) + bytes).base64EncodedString())\n"
    }

    private static func with<Value>(_ seed: [UInt8], _ body: (OpaquePointer?) -> Value) -> Value {
        let key = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, nil, seed, seed.count)
        defer { EVP_PKEY_free(key) }
        return body(key)
    }
}

/// A folder from which releases can be installed.
package struct TestMirror {
    package let path: String
    package var key = TestKey()

    /// - Parameter path: made when it isn't there.
    package init(_ path: String, key: TestKey = TestKey()) throws {
        self.path = path
        self.key = key
        try makeDirectories(path)
        try writeFile(path + "/key.pub", Array(key.publicText.utf8))
    }

    package var manifest: String { path + "/manifest.json" }
    package var keyFile: String { path + "/key.pub" }

    /// Makes a package and the manifest that names it.
    ///
    /// - Parameter edit: changes what the manifest says of the package.
    @discardableResult
    package func publish(
        _ release: TestRelease, notes: String? = nil, baseUrl: JSON? = nil, edit: (inout JSONObject) -> Void = { _ in }
    ) throws -> Package {
        let package = try release.package(in: path)
        var entry: JSONObject = [
            "coreVersion": JSON("\(release.version)"), "package": JSON(name(package)), "size": JSON(package.size),
            "sha1": JSON(hexadecimal(package.sha1 ?? [])), "sha256": JSON(hexadecimal(package.sha256)),
        ]
        entry["unpackedSize"] = package.unpackedSize.map { JSON($0) }
        edit(&entry)
        var manifest: JSONObject = ["schema": 1, "version": JSON("\(release.version)")]
        manifest["baseUrl"] = baseUrl
        manifest["notes"] = notes.map { JSON($0) }
        manifest["platforms"] = [InstallationHome.currentPlatform: .object(entry)]
        try write(JSON.object(manifest).serialize())
        return package
    }

    /// Writes the manifest, signed.
    package func write(_ bytes: [UInt8]) throws {
        try writeFile(manifest, bytes)
        try sign(with: key)
    }

    package func sign(with key: TestKey) throws {
        try writeFile(manifest + ".sig", Array(key.signature(of: try readFile(manifest)).utf8))
    }

    private func name(_ package: Package) -> String { String(package.file.split(separator: "/").last ?? "") }
}
