/// An amount of US dollars, never negative, exact to a thousand-millionth: sums come out the same in whatever order
/// they are made, which those of binary fractions don't.
package struct Money: Comparable, Hashable, Sendable {
    package private(set) var nanodollars: Int64

    package static let zero = Money(nanodollars: 0)

    /// - Parameter nanodollars: below 0 counts as 0.
    package init(nanodollars: Int64) { self.nanodollars = max(0, nanodollars) }

    /// What is no number, or negative, is nothing; there is no more than about nine thousand million.
    package init(usd: Double) {
        let scaled = (usd * 1e9).rounded()
        nanodollars = scaled > 0 ? Int64(exactly: scaled) ?? .max : 0
    }

    package var usd: Double { Double(nanodollars) / 1e9 }

    package static func < (a: Money, b: Money) -> Bool { a.nanodollars < b.nanodollars }

    package static func + (a: Money, b: Money) -> Money {
        let (sum, overflow) = a.nanodollars.addingReportingOverflow(b.nanodollars)
        return Money(nanodollars: overflow ? .max : sum)
    }

    /// Zero when there is more to take away than there is.
    package static func - (a: Money, b: Money) -> Money { Money(nanodollars: a.nanodollars - b.nanodollars) }
    package static func += (a: inout Money, b: Money) { a = a + b }
}
