import Base
import EventLog
package import HubProtocol
import JSON
import Providers

// What a session may cost: SessionService+Spending.swift has the sums over all.
extension Session {
    /// What this session may cost in its life; nil: no limit.
    var budgetLimit: Money? {
        guard let own = state.budget.own else { return service.spending.budget.perSession }
        return own == .zero ? nil : own
    }

    /// A turn's usage as it is logged: with the model that it is priced by, the money that the provider reported, or
    /// what the tokens cost by the list.
    /// - Parameter providerId: whose; the model it is set to counts where it doesn't say which it used.
    func priced(_ usage: Usage, of providerId: String) -> JSONObject {
        var usage = usage
        usage.model = usage.model ?? state.choices[providerId]?.model
        if let cost = usage.costUsd, !cost.isFinite || cost < 0 { usage.costUsd = nil }
        var data: JSONObject = ["usage": .object(usage.json)]
        if let cost = usage.costUsd {
            data["costUsd"] = JSON(cost)
        } else if let model = usage.model, let cost = service.spending.prices.estimate(usage, model: model) {
            data["costUsd"] = JSON(cost)
            data["costEstimated"] = true
        }
        return data
    }

    /// Whether the next turn may begin as far as money goes. If not, what waits is held, and the log says why.
    func budgetAllows(turnId: String) -> Bool {
        guard let use = service.exhaustedBudget(of: self) else { return true }
        if passesBudgetOnce {
            passesBudgetOnce = false
            return true
        }
        let failure = use.failure(now: service.clock())
        append(
            EventDraft(.error, source: .core, turnId: turnId, providerId: state.providerId, data: failure.json))
        appendStatus("queue_held", ["reason": "the budget is used up", "code": "budget_exceeded"])
        announceChange()
        return false
    }

    /// Whether a hold is for want of money that is still wanting: a new message doesn't release that.
    var isHeldByBudget: Bool { state.budget.isHolding && service.exhaustedBudget(of: self) != nil }

    /// Says in the log, and to all clients, how near a limit is.
    func announce(_ use: BudgetUse) {
        appendStatus("budget", use.json)
        let event = (["type": "budget", "sessionId": JSON(id)] as JSONObject).merging(use.json)
        log.afterCommit { [weak self] in self?.service.observer?.workflowEvent(event) }
    }

    /// Sets what this session may cost in its life. What was held for want of money goes on when it is enough.
    /// - Parameter usd: 0 for no limit; nil for what the settings say.
    package func setBudget(_ usd: Double?, by client: ClientIdentity) throws(Failure) {
        let usd = try Session.checkedBudget(usd)
        try requireWritableLog()
        let spent = state.ledger.total.cost
        let before = Budget.level(spent, of: budgetLimit)
        let data: JSONObject = ["budgetUsd": usd.map { JSON($0) } ?? .null]
        appendStatus("budget_changed", data, source: .user, by: client)
        service.audit("budget", by: client, session: self, details: data)
        if let limit = budgetLimit, Budget.level(spent, of: limit) > before {
            announce(BudgetUse(scope: .session, spent: spent, limit: limit))
        }
        if state.budget.isHolding, !isHeldByBudget { releaseQueue(by: client) }
        announceChange()
    }

    /// The most that a budget can be, in USD: what is meant as more is meant as none.
    package static let maxBudgetUsd = 1_000_000.0

    @discardableResult
    package static func checkedBudget(_ usd: Double?) throws(Failure) -> Double? {
        guard let usd else { return nil }
        guard (0...maxBudgetUsd).contains(usd) else {
            throw Failure(
                code: "invalid_request", message: "budgetUsd is from 0 (no limit) to \(Int(maxBudgetUsd)), or null.",
                details: ["field": "budgetUsd"])
        }
        return usd
    }
}
