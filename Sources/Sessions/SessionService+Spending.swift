package import Base
import HubProtocol
import JSON

// What the sessions cost together, and what follows from it.
extension SessionService {
    package var today: Day { Day(clock()) }

    /// What all sessions have spent today, deleted ones included.
    package var spentToday: Money {
        let day = today
        return spending.spent(on: day) { sum(on: day) }
    }

    private func sum(on day: Day) -> Money {
        var sum = Money.zero
        for state in allStates { sum += state.ledger.cost(on: day) }
        for ledger in spending.archive.ledgers.values { sum += ledger.cost(on: day) }
        return sum
    }

    /// A session's log has just grown by an event that may have used something.
    func used(_ session: Session, since before: UsageLedger.Sum, providerId: String) {
        let after = session.state.ledger.total
        guard after != before else { return }
        spending.add(after - before, of: providerId)
        if after.cost > before.cost { costRose(session, from: before.cost) }
    }

    /// What each provider was used since the first session, deleted ones included. Worked out over all sessions once,
    /// and kept from then on.
    package var usedByProvider: [String: UsageLedger.Sum] {
        spending.byProvider {
            usage(
                from: Day(daysSince1970: .min / 2), through: Day(daysSince1970: .max / 2), by: .provider
            ).rows
        }
    }

    private func costRose(_ session: Session, from before: Money) {
        let after = session.state.ledger.total.cost
        let cost = after - before
        let day = today
        // A sum that is made now has it already.
        if spending.knownDay == day { spending.add(cost) }
        let dayAfter = spentToday
        notice(session, .session, before, after, session.budgetLimit)
        notice(session, .day, dayAfter - cost, dayAfter, spending.budget.perDay, day)
    }

    /// Tells of a threshold that was passed, once: by whom it was passed, and to everybody.
    private func notice(
        _ session: Session, _ scope: Budget.Scope, _ before: Money, _ after: Money, _ limit: Money?, _ day: Day? = nil
    ) {
        guard let limit, Budget.level(after, of: limit) > Budget.level(before, of: limit) else { return }
        session.announce(BudgetUse(scope: scope, spent: after, limit: limit, day: day))
    }

    /// The budget that keeps a session from its next turn; nil when none does.
    func exhaustedBudget(of session: Session) -> BudgetUse? {
        let spent = session.state.ledger.total.cost
        if let limit = session.budgetLimit, Budget.level(spent, of: limit) == .exceeded {
            return BudgetUse(scope: .session, spent: spent, limit: limit)
        }
        guard let limit = spending.budget.perDay, Budget.level(spentToday, of: limit) == .exceeded else { return nil }
        return BudgetUse(scope: .day, spent: spentToday, limit: limit, day: today)
    }

    /// Sets what may be spent, from now on. What was held for want of money, and needn't be any more, goes on.
    package func setBudget(_ budget: Budget) {
        guard budget != spending.budget else { return }
        let before = spending.budget
        spending.budget = budget
        if let limit = budget.perDay,
            Budget.level(spentToday, of: limit) > Budget.level(spentToday, of: before.perDay)
        {
            observer?.workflowEvent(
                (["type": "budget"] as JSONObject).merging(
                    BudgetUse(scope: .day, spent: spentToday, limit: limit, day: today).json))
        }
        for state in allStates where state.budget.isHolding {
            guard let session = try? session(state.sessionId), exhaustedBudget(of: session) == nil else { continue }
            session.releaseQueue(by: nil)
        }
    }

    // MARK: Reports

    /// What was used from one day to another, both included.
    package func usage(from first: Day, through last: Day, by grouping: UsageReport.Grouping) -> UsageReport {
        var report = UsageReport(grouping: grouping)
        for state in allStates { report.add(state.ledger, of: state.sessionId, first, last) }
        for (id, ledger) in spending.archive.ledgers { report.add(ledger, of: id, first, last) }
        return report
    }
}
