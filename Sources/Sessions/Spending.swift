import Base
package import Providers

/// Money over all sessions: prices, budgets, what today has cost, and what deleted sessions did.
package final class Spending {
    package let prices: PriceBook
    package let archive: UsageArchive
    package internal(set) var budget: Budget
    /// What was spent today, kept beside the sum over all sessions, which would be made at every turn.
    private var today: (day: Day, spent: Money)?
    /// What was used since ever, in the same way.
    private var sums: [String: UsageLedger.Sum]?

    package init(
        prices: PriceBook = PriceBook(), archive: UsageArchive = UsageArchive(), budget: Budget = Budget()
    ) {
        self.prices = prices
        self.archive = archive
        self.budget = budget
    }

    /// The day whose sum is known.
    var knownDay: Day? { today?.day }

    /// What was spent on a day.
    /// - Parameter sum: works it out, when the day is a new one.
    func spent(on day: Day, _ sum: () -> Money) -> Money {
        if let today, today.day == day { return today.spent }
        let spent = sum()
        today = (day, spent)
        return spent
    }

    /// What was used by provider.
    /// - Parameter all: works it out, the first time.
    func byProvider(_ all: () -> [String: UsageLedger.Sum]) -> [String: UsageLedger.Sum] {
        if let sums { return sums }
        let made = all()
        sums = made
        return made
    }

    /// More was used.
    func add(_ sum: UsageLedger.Sum, of providerId: String) { sums?[providerId, default: UsageLedger.Sum()] += sum }

    /// A session came from elsewhere with costs of its own: the sums are to be made anew.
    func forgetSum() {
        today = nil
        sums = nil
    }

    /// More was spent on the day whose sum is known.
    func add(_ cost: Money) { today?.spent += cost }
}
