/// A day in UTC, written `YYYY-MM-DD`.
///
/// UTC, not the machine's zone: what a day adds up to must not depend on where the machine is today, and all who read a
/// log, now or later, here or elsewhere, get the same sums.
package struct Day: Comparable, Hashable, Sendable, CustomStringConvertible {
    package var daysSince1970: Int

    private static let length = 86_400_000

    package init(daysSince1970: Int) { self.daysSince1970 = daysSince1970 }

    /// The day in which a moment lies.
    package init(_ moment: Timestamp) {
        let milliseconds = Int(moment.milliseconds)
        let quotient = milliseconds / Day.length
        daysSince1970 = milliseconds % Day.length < 0 ? quotient - 1 : quotient
    }

    /// Nil for anything but a day of the calendar, from 1970 on.
    package init?(_ text: String) {
        guard text.utf8.count == 10, let moment = Timestamp(text + "T00:00:00Z"), moment.milliseconds >= 0 else {
            return nil
        }
        self.init(moment)
    }

    /// Its first moment.
    package var start: Timestamp { Timestamp(milliseconds: Int64(daysSince1970 * Day.length)) }
    package var description: String { String(start.description.prefix(10)) }

    package static func < (a: Day, b: Day) -> Bool { a.daysSince1970 < b.daysSince1970 }
    package static func + (day: Day, count: Int) -> Day { Day(daysSince1970: day.daysSince1970 + count) }
}
