import Testing
import WebSocket

/// Autobahn's group 6: text must be UTF-8, and what isn't is noticed at the first octet that can't be right.
@Suite struct UTF8Tests {
    static func bytes(_ hex: String) -> [UInt8] {
        hex.split(separator: " ").compactMap { UInt8($0, radix: 16) }
    }

    /// Valid: 6.2, 6.5 to 6.7, 6.9, 6.11, 6.13, 6.15, 6.17, 6.22, 6.23.
    @Test(arguments: [
        "48 65 6C 6C 6F", "CE BA E1 BD B9 CF 83 CE BC CE B5", "00", "C2 80", "E0 A0 80", "F0 90 80 80", "7F", "DF BF",
        "EF BF BF", "F4 8F BF BF", "ED 9F BF", "EE 80 80", "EF BF BD", "F0 9F BF BE", "F1 BF BF BE", "F4 8F BF BE",
        "EF BF BE", "EF B7 90", "F3 BF BF BF",
    ])
    func valid(hex: String) {
        let payload = Self.bytes(hex)
        let text = String(decoding: payload, as: UTF8.self)
        #expect(receive([Frame(opcode: 1, payload: payload)]) == [.text(text)])
        // One octet a fragment (6.2.2 to 6.2.4).
        var frames = payload.map { Frame.more([$0]) } + [.more("", final: true)]
        frames[0].opcode = 1
        #expect(receive(frames) == [.text(text)])
        // Behind enough ASCII for the fast path, at every alignment.
        for padding in 0..<17 {
            let padded = [UInt8](repeating: 0x61, count: padding) + payload
            #expect(receive([Frame(opcode: 1, payload: padded)]) == [.text(String(decoding: padded, as: UTF8.self))])
        }
    }

    /// Invalid, with the number of octets after which it must have been noticed; 0 when only the end shows it.
    @Test(arguments: [
        ("CE BA E1 BD B9 CF 83 CE BC CE B5 ED A0 80 65 64 69 74 65 64", 13),  // 6.3
        ("CE BA E1 BD B9 CF 83 CE BC CE B5 F4 90 80 80 65 64", 13),  // 6.4
        ("F8 88 80 80 80", 1), ("FC 84 80 80 80 80", 1), ("F7 BF BF BF", 1), ("FB BF BF BF BF", 1),  // 6.8, 6.10
        ("FD BF BF BF BF BF", 1), ("F4 90 80 80", 2), ("FE", 1), ("FF", 1),  // 6.12
        ("80", 1), ("BF", 1), ("80 BF", 1), ("80 BF 80 BF 80 BF 80 BF 80 BE", 1),  // 6.14
        ("C0 20", 1), ("DF 20", 2), ("E0 20", 2), ("EF 20", 2), ("F0 20", 2), ("F4 20", 2),  // 6.16
        ("DF", 0), ("E0 A0", 0), ("EF BF", 0), ("F0 90 80", 0), ("F1 BF BF", 0), ("CE BA E1 BD", 0),  // 6.6, 6.18
        ("C0 AF", 1), ("E0 80 AF", 2), ("F0 80 80 AF", 2), ("C1 BF", 1), ("E0 9F BF", 2), ("F0 8F BF BF", 2),  // 6.19
        ("C0 80", 1), ("E0 80 80", 2), ("ED A0 80", 2), ("ED AF BF", 2), ("ED BF BF", 2),  // 6.20, 6.21
        ("ED A0 80 ED B0 80", 2), ("F5 80 80 80", 1),
    ])
    func invalid(hex: String, noticedAt: Int) {
        let payload = Self.bytes(hex)
        for padding in [0, 7, 8, 20] {
            let ascii = [UInt8](repeating: 0x61, count: padding)
            let frame = Frame(opcode: 1, payload: ascii + payload)
            #expect(receive([frame]) == [.failure(1007)])
            var consumed = 0
            let outcome = receive(pieces: chop(frame.bytes, every: 1), consumed: &consumed)
            #expect(outcome == [.failure(1007)])
            let header = frame.bytes.count - frame.payload.count
            #expect(consumed == header + padding + (noticedAt == 0 ? payload.count : noticedAt))
            // The same in a message whose second half never comes (6.4).
            if noticedAt > 0 {
                #expect(receive([Frame(opcode: 1, payload: ascii + payload, isFinal: false)]) == [.failure(1007)])
            }
        }
        // Binary is free to be anything.
        #expect(receive([.binary(payload)]) == [.binary(payload)])
    }

    @Test func agreesWithTheStandardLibrary() {
        var random = FixedRandom()
        let interesting: [UInt8] = [
            0x00, 0x7F, 0x80, 0x8F, 0x90, 0x9F, 0xA0, 0xBF, 0xC0, 0xC1, 0xC2, 0xDF, 0xE0, 0xE1, 0xEC, 0xED, 0xEE, 0xEF,
            0xF0, 0xF1, 0xF3, 0xF4, 0xF5, 0xFF,
        ]
        for _ in 0..<20_000 {
            let bytes = (0..<Int.random(in: 1...12, using: &random)).map { _ in
                interesting.randomElement(using: &random) ?? 0
            }
            let expected = String(validating: bytes, as: UTF8.self) != nil
            #expect(bytes.withUnsafeBytes { UTF8Validator.isValid($0) } == expected, "\(bytes)")
        }
    }
}
