import Base
import Foundation
import Signatures
import TestSupport
import Testing

/// What is read strictly, the examples of the standard, and that signify and OpenSSL say the same.
@Suite struct SignaturesTests {
    /// RFC 8032 section 7.1: public key, message, signature.
    static let examples = [
        (
            "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a", "",
            "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b"
        ),
        (
            "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c", "72",
            "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"
        ),
        (
            "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025", "af82",
            "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a"
        ),
    ]

    @Test(arguments: examples) func examplesOfTheStandard(key: String, message: String, signature: String) throws {
        let (key, message, signature) = (bytes(key), bytes(message), bytes(signature))
        let publicKey = try PublicKey(text: text("public key", [1, 2, 3, 4, 5, 6, 7, 8], key))
        let detached = try DetachedSignature(text: text("signature", [1, 2, 3, 4, 5, 6, 7, 8], signature))
        #expect(publicKey.verify(detached, over: message))
        #expect(!publicKey.verify(detached, over: message + [0]))
        for bit in 0..<signature.count * 8 {
            var wrong = signature
            wrong[bit / 8] ^= 1 << (bit % 8)
            #expect(!publicKey.verify(wrong, over: message), "bit \(bit)")
        }
        let otherNumber = try DetachedSignature(text: text("signature", [1, 2, 3, 4, 5, 6, 7, 9], signature))
        #expect(!publicKey.verify(otherNumber, over: message))
    }

    /// A signature plus the group's order is the same for a lenient verifier (RFC 8032 section 5.1.7 forbids it).
    @Test func aSecondSignatureCannotBeMadeFromOne() throws {
        let (key, message, signature) = Self.examples[1]
        let order = bytes("edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010")
        var (other, carry) = (bytes(signature), 0)
        for index in 0..<32 {
            carry += Int(other[32 + index]) + Int(order[index])
            other[32 + index] = UInt8(carry & 255)
            carry >>= 8
        }
        #expect(carry == 0)
        let publicKey = try PublicKey(text: text("public key", [0, 0, 0, 0, 0, 0, 0, 0], bytes(key)))
        #expect(publicKey.verify(bytes(signature), over: bytes(message)))
        #expect(!publicKey.verify(other, over: bytes(message)))
    }

    /// The eight points of small order, and every second spelling of a point (y from 2^255 - 19 on), with either sign: under
    /// some of them OpenSSL takes a signature that nobody made, over any message.
    @Test func keysUnderWhichAnybodyCanSign() throws {
        let ends = String(repeating: "ff", count: 30)
        let zeros = String(repeating: "00", count: 31)
        var weak = [
            "00" + zeros, "01" + zeros, "ec" + ends + "7f",
            "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
            "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
        ].map(bytes)
        weak += (0xed...0xff).map { bytes(String($0, radix: 16) + ends + "7f") }
        #expect(weak.count == 24)
        let good = text("public key", [UInt8](repeating: 1, count: 8), bytes(Self.examples[0].0))
        for key in weak {
            for sign: UInt8 in [0, 0x80] {
                let bad = text("public key", [UInt8](repeating: 2, count: 8), Array(key.dropLast()) + [key[31] | sign])
                let error = #expect(throws: SignatureError.self, "\(key) \(sign)") { try PublicKey(text: bad) }
                #expect(error?.message.contains("0202020202020202 is not one to trust") == true)
                // Nor among others.
                #expect(throws: SignatureError.self) { try PublicKey.keys(in: good + bad) }
            }
        }
        // The numbers beside them are keys, or at least no such ones.
        for key in ["02" + zeros, "eb" + ends + "7f", "ed" + ends + "7e", "00" + ends + "7f"] {
            #expect(throws: Never.self) {
                try PublicKey(text: text("public key", [UInt8](repeating: 3, count: 8), bytes(key)))
            }
        }
    }

    // MARK: Other programs

    @Test(arguments: [0, 1, 73, 100_000]) func signifySignsAndWeVerify(size: Int) throws {
        let folder = try TemporaryFolder("signify")
        let message = (0..<size).map { UInt8(truncatingIfNeeded: $0 &* 31) }
        try write(message, folder.path + "/message")
        try succeed(run("signify-openbsd", ["-G", "-n", "-p", "key.pub", "-s", "key.sec"], in: folder.path))
        try succeed(
            run("signify-openbsd", ["-S", "-s", "key.sec", "-m", "message", "-x", "message.sig"], in: folder.path))
        let key = try PublicKey(text: try #require(folder.read("key.pub")))
        let signature = try DetachedSignature(text: try #require(folder.read("message.sig")))
        #expect(key.verify(signature, over: message))
        #expect(!key.verify(signature, over: message + [10]))
        // And another key of signify's isn't it.
        try succeed(run("signify-openbsd", ["-G", "-n", "-p", "other.pub", "-s", "other.sec"], in: folder.path))
        let both = try #require(folder.read("other.pub")) + #require(folder.read("key.pub"))
        let keys = try PublicKey.keys(in: both)
        #expect(keys.count == 2)
        #expect(keys.map { $0.verify(signature, over: message) } == [false, true])
        #expect(throws: SignatureError.self) { try PublicKey(text: both) }
    }

    /// The key and the signature are OpenSSL's; the texts are made here, as a release makes them.
    @Test func opensslSignsAndWeAndSignifyVerify() throws {
        let folder = try TemporaryFolder("signify")
        let message = Array("{\"schema\":1}\n".utf8)
        try write(message, folder.path + "/message")
        try succeed(run("openssl", ["genpkey", "-algorithm", "ed25519", "-out", "key.pem"], in: folder.path))
        try succeed(
            run(
                "openssl", ["pkey", "-in", "key.pem", "-pubout", "-outform", "DER", "-out", "key.der"], in: folder.path)
        )
        try succeed(
            run(
                "openssl", ["pkeyutl", "-sign", "-inkey", "key.pem", "-rawin", "-in", "message", "-out", "raw"],
                in: folder.path))
        // The last 32 bytes of the structure are the key.
        let raw = try [UInt8](Data(contentsOf: URL(filePath: folder.path + "/key.der"))).suffix(32)
        let number: [UInt8] = [9, 8, 7, 6, 5, 4, 3, 2]
        try folder.write("key.pub", text("public key", number, Array(raw)))
        try folder.write(
            "message.sig", text("signature", number, [UInt8](Data(contentsOf: URL(filePath: folder.path + "/raw")))))
        let key = try PublicKey(text: try #require(folder.read("key.pub")))
        #expect(key.keyNumber == number)
        #expect(key.description == "0908070605040302")
        #expect(key.bytes == Array(raw))
        #expect(key.verify(try DetachedSignature(text: try #require(folder.read("message.sig"))), over: message))
        try succeed(
            run("signify-openbsd", ["-V", "-p", "key.pub", "-m", "message", "-x", "message.sig"], in: folder.path))
    }

    // MARK: What is no key and no signature

    @Test func everyCutAndEveryOtherByteOfASignatureIsNoticed() throws {
        let (key, message, signature) = Self.examples[2]
        let publicKey = try PublicKey(text: text("public key", [1, 2, 3, 4, 5, 6, 7, 8], bytes(key)))
        let whole = Array(text("signature", [1, 2, 3, 4, 5, 6, 7, 8], bytes(signature)).utf8)
        for count in 0..<whole.count {
            let cut = String(decoding: whole[..<count], as: UTF8.self)
            #expect(throws: SignatureError.self, "cut at \(count)") { try DetachedSignature(text: cut) }
        }
        // A comment may say anything; in the second line every character counts.
        let second = whole.firstIndex(of: 10)! + 1
        for index in second..<whole.count - 1 {
            for replacement in Array("AB+/=z \r-".utf8) where whole[index] != replacement {
                var other = whole
                other[index] = replacement
                let parsed = try? DetachedSignature(text: String(decoding: other, as: UTF8.self))
                let isVerified = parsed.map { publicKey.verify($0, over: bytes(message)) } ?? false
                #expect(!isVerified, "byte \(index)")
            }
        }
    }

    @Test(arguments: [
        "", "\n", "untrusted comment: x\n", "untrusted comment: x\n\n", "trusted comment: x\nRWQ=\n",
        "untrusted comment x\nRWQ=\n", "untrusted comment: x\r\nRWQ=\r\n", "\u{feff}untrusted comment: x\nRWQ=\n",
        "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEA\n-----END PUBLIC KEY-----\n",
    ])
    func noSignatureAndNoKey(text: String) {
        #expect(throws: SignatureError.self) { try DetachedSignature(text: text) }
        #expect(throws: SignatureError.self) { try PublicKey(text: text) }
        #expect(throws: SignatureError.self) { try PublicKey.keys(in: text) }
    }

    @Test func refusedVariants() throws {
        let (key, _, signature) = Self.examples[0]
        let right = text("signature", [UInt8](repeating: 0, count: 8), bytes(signature))
        _ = try DetachedSignature(text: right)
        let line = right.split(separator: "\n")[1]
        let variants = [
            "behind": right + "\n", "more": right + right, "no line end": String(right.dropLast()),
            "space": right.replacingOccurrences(of: line, with: " " + line),
            "inner line end": right.replacingOccurrences(of: line, with: line.prefix(60) + "\n" + line.dropFirst(60)),
            "long comment": "untrusted comment: " + String(repeating: "x", count: 1010) + "\n\(line)\n",
            "large": "untrusted comment: \(String(repeating: "x", count: 5000))\n\(line)\n",
            "a key": text("public key", [UInt8](repeating: 0, count: 8), bytes(key)),
            // Bits that decoding throws away: a second text for the same bytes.
            "odd bits": right.replacingOccurrences(of: line, with: line.dropLast(2) + "B="),
            "other algorithm": text("signature", [UInt8](repeating: 0, count: 8), bytes(signature), algorithm: "EC"),
            "nul": right.replacingOccurrences(of: "comment: s", with: "comment: \0s"),
        ]
        for (name, variant) in variants {
            #expect(throws: SignatureError.self, "\(name)") { try DetachedSignature(text: variant) }
        }
    }

    // MARK: Helpers

    private func text(_ what: String, _ number: [UInt8], _ content: [UInt8], algorithm: String = "Ed") -> String {
        let encoded = Data(Array(algorithm.utf8) + number + content).base64EncodedString()
        return "untrusted comment: \(what)\n\(encoded)\n"
    }

    private func bytes(_ text: String) -> [UInt8] {
        let digits = Array(text).map { UInt8($0.hexDigitValue!) }
        return stride(from: 0, to: digits.count, by: 2).map { digits[$0] << 4 | digits[$0 + 1] }
    }

    private func write(_ bytes: [UInt8], _ path: String) throws { try Data(bytes).write(to: URL(filePath: path)) }

    private func succeed(_ run: ProgramRun) throws { #expect(run.code == 0, "\(run.text)") }
}
