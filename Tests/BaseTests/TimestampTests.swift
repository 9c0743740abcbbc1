import Base
import Foundation
import Testing

@Suite struct TimestampTests {
    @Test(
        arguments: [
            (0, "1970-01-01T00:00:00.000Z"), (1, "1970-01-01T00:00:00.001Z"), (-1, "1969-12-31T23:59:59.999Z"),
            (951_782_400_000, "2000-02-29T00:00:00.000Z"), (1_795_255_200_123, "2026-11-21T10:00:00.123Z"),
            (4_107_542_399_999, "2100-02-28T23:59:59.999Z"), (253_402_300_799_999, "9999-12-31T23:59:59.999Z"),
            (-62_167_219_200_000, "0000-01-01T00:00:00.000Z"),
        ] as [(Int64, String)])
    func textBothWays(_ milliseconds: Int64, _ text: String) {
        #expect(Timestamp(milliseconds: milliseconds).description == text)
        #expect(Timestamp(text)?.milliseconds == milliseconds)
    }

    @Test(arguments: [
        ("2026-11-21T10:00:00Z", "2026-11-21T10:00:00.000Z"), ("2026-11-21t10:00:00z", "2026-11-21T10:00:00.000Z"),
        ("2026-11-21T10:00:00.1Z", "2026-11-21T10:00:00.100Z"),
        ("2026-11-21T10:00:00.123456789Z", "2026-11-21T10:00:00.123Z"),
        ("2026-11-21T10:00:00+02:00", "2026-11-21T08:00:00.000Z"),
        ("2026-11-21T10:00:00.5-23:59", "2026-11-22T09:59:00.500Z"),
        ("2016-12-31T23:59:60Z", "2017-01-01T00:00:00.000Z"),
    ])
    func readsRFC3339(_ text: String, _ expected: String) {
        #expect(Timestamp(text)?.description == expected)
    }

    @Test(arguments: [
        "", "2026", "2026-11-21", "2026-11-21T10:00:00", "2026-11-21 10:00:00Z", "2026-13-01T00:00:00Z",
        "2026-00-01T00:00:00Z", "2026-02-29T00:00:00Z", "2100-02-29T00:00:00Z", "2026-04-31T00:00:00Z",
        "2026-11-00T00:00:00Z", "2026-11-21T24:00:00Z", "2026-11-21T10:60:00Z", "2026-11-21T10:00:61Z",
        "2026-11-21T10:00:00.Z", "2026-11-21T10:00:00Zx", "2026-11-21T10:00:00+0200", "2026-11-21T10:00:00+24:00",
        "2026-11-21T10:00:00+02:60", "2026-11-21T10:00:00.123", "+026-11-21T10:00:00Z", "2026-1１-21T10:00:00Z",
    ])
    func refusesWhatIsNone(_ text: String) {
        #expect(Timestamp(text) == nil)
    }

    /// Against another implementation of the calendar.
    @Test func agreesWithFoundation() {
        let formatter = ISO8601DateFormatter()
        formatter.formatOptions = [.withInternetDateTime, .withFractionalSeconds]
        formatter.timeZone = TimeZone(identifier: "UTC")
        // Foundation is Julian before 1582.
        for milliseconds in stride(from: Int64(-12_000_000_000_000), to: 253_000_000_000_000, by: 86_123_456_789) {
            let date = Date(timeIntervalSince1970: Double(milliseconds) / 1000)
            let text = Timestamp(milliseconds: milliseconds).description
            #expect(text.prefix(19) == formatter.string(from: date).prefix(19))
            #expect(Timestamp(text)?.milliseconds == milliseconds)
        }
    }

    @Test func nowIsNow() {
        let difference = Double(Timestamp.now.milliseconds) / 1000 - Date().timeIntervalSince1970
        #expect(abs(difference) < 5)
    }
}

@Suite struct DigitsTests {
    @Test(arguments: [0, 1, 9, 10, 99, 100, -1, -10, Int64.max, Int64.min, 1_234_567_890])
    func decimal(_ number: Int64) {
        var bytes = Array("x".utf8)
        bytes.appendDecimal(number)
        #expect(String(decoding: bytes, as: UTF8.self) == "x\(number)")
    }

    @Test(arguments: [
        (0, 1, "0"), (0, 4, "0000"), (7, 2, "07"), (123, 2, "123"), (12345, 4, "12345"), (-5, 2, "00"),
        (Int.max, 3, "9223372036854775807"),
    ])
    func atLeastSoManyDigits(_ number: Int, _ width: Int, _ text: String) {
        var bytes: [UInt8] = []
        bytes.appendDigits(number, width: width)
        #expect(String(decoding: bytes, as: UTF8.self) == text)
    }

    @Test func hex() {
        #expect(hexadecimal([0x00, 0x0f, 0xa5, 0xff] as [UInt8]) == "000fa5ff")
        #expect(hexadecimal([] as [UInt8]) == "")
    }
}

@Suite struct ULIDTests {
    private func time(_ id: String) -> Int64 {
        let alphabet = Array("0123456789ABCDEFGHJKMNPQRSTVWXYZ")
        return id.prefix(10).reduce(0) { $0 << 5 | Int64(alphabet.firstIndex(of: $1) ?? -1) }
    }

    @Test func holdsItsTime() {
        var generator = ULIDGenerator()
        for milliseconds in [0, 1, 1_795_255_200_123, 1 << 47] as [Int64] {
            let id = generator.next(at: Timestamp(milliseconds: milliseconds))
            #expect(id.utf8.count == 26)
            #expect(time(id) == milliseconds)
            #expect(id.allSatisfy { "0123456789ABCDEFGHJKMNPQRSTVWXYZ".contains($0) })
        }
    }

    @Test func sortsInTheOrderOfMaking() {
        var generator = ULIDGenerator()
        var last = ""
        for step in 0..<20_000 {
            // The clock stands still, jumps back, goes on.
            let milliseconds: Int64 = step < 5000 ? 1000 : step < 10_000 ? 500 : 1000 + Int64(step / 100)
            let id = generator.next(at: Timestamp(milliseconds: milliseconds))
            #expect(id > last)
            last = id
        }
    }

    @Test func differsBetweenGenerators() {
        var ids: Set<String> = []
        for _ in 0..<1000 {
            var generator = ULIDGenerator()
            ids.insert(generator.next(at: Timestamp(milliseconds: 1)))
        }
        #expect(ids.count == 1000)
    }
}
