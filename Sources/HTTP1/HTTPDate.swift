/// The date format of HTTP (IMF-fixdate, RFC 9110 section 5.6.7).
package enum HTTPDate {
    /// The 29 bytes of a date, such as `Sun, 06 Nov 1994 08:49:37 GMT`.
    /// - Parameter seconds: since 1970 in UTC; years 0 to 9999, others are clamped.
    package static func bytes(secondsSinceEpoch seconds: Int64) -> [UInt8] {
        let seconds = min(max(seconds, -62_167_219_200), 253_402_300_799)
        let days = seconds >= 0 ? seconds / 86_400 : (seconds - 86_399) / 86_400
        let second = Int(seconds - days * 86_400)
        let weekday = Int(((days % 7) + 11) % 7)
        let (year, month, day) = civil(days: Int(days))
        var text: [UInt8] = []
        text.reserveCapacity(29)
        text.append(contentsOf: name(weekday, in: "SunMonTueWedThuFriSat"))
        text.append(contentsOf: ", ".utf8)
        append(day, 2, to: &text)
        text.append(0x20)
        text.append(contentsOf: name(month - 1, in: "JanFebMarAprMayJunJulAugSepOctNovDec"))
        text.append(0x20)
        append(year, 4, to: &text)
        text.append(0x20)
        append(second / 3600, 2, to: &text)
        text.append(0x3A)
        append(second / 60 % 60, 2, to: &text)
        text.append(0x3A)
        append(second % 60, 2, to: &text)
        text.append(contentsOf: " GMT".utf8)
        return text
    }

    /// Gregorian date of a day number since 1970, by eras of 400 years that start in March, so that the leap day comes
    /// last.
    private static func civil(days: Int) -> (year: Int, month: Int, day: Int) {
        let shifted = days + 719_468
        let era = (shifted >= 0 ? shifted : shifted - 146_096) / 146_097
        let dayOfEra = shifted - era * 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let monthFromMarch = (5 * dayOfYear + 2) / 153
        let month = monthFromMarch < 10 ? monthFromMarch + 3 : monthFromMarch - 9
        return (yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month, dayOfYear - (153 * monthFromMarch + 2) / 5 + 1)
    }

    private static func name(_ index: Int, in names: StaticString) -> UnsafeBufferPointer<UInt8> {
        UnsafeBufferPointer(start: names.utf8Start + index * 3, count: 3)
    }

    private static func append(_ number: Int, _ width: Int, to text: inout [UInt8]) {
        var divisor = width == 4 ? 1000 : 10
        while divisor > 0 {
            text.append(UInt8(0x30 + number / divisor % 10))
            divisor /= 10
        }
    }
}

/// Keeps the text of the current second, since every response carries it.
package struct HTTPDateCache: Sendable {
    private var second = Int64.min
    private var text: [UInt8] = []

    package init() {}

    package mutating func bytes(secondsSinceEpoch now: Int64) -> [UInt8] {
        if now != second {
            second = now
            text = HTTPDate.bytes(secondsSinceEpoch: now)
        }
        return text
    }
}
