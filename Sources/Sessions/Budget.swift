package import Base
package import HubProtocol
package import JSON

/// How much may be spent; nil: as much as anybody likes.
package struct Budget: Equatable, Sendable {
    /// By all sessions together in a day (UTC).
    package var perDay: Money?
    /// By a session that has no limit of its own, in its life.
    package var perSession: Money?

    package init(perDay: Money? = nil, perSession: Money? = nil) {
        self.perDay = perDay
        self.perSession = perSession
    }

    package enum Scope: String, Sendable { case session, day }

    /// How near the limit what was spent is.
    package enum Level: String, Comparable, Sendable {
        case within, warning, exceeded

        package static func < (a: Level, b: Level) -> Bool { a.rank < b.rank }

        private var rank: Int {
            switch self {
            case .within: 0
            case .warning: 1
            case .exceeded: 2
            }
        }
    }

    /// A warning comes when this many hundredths of the limit are spent.
    private static let warningPercent: Int64 = 80

    package static func level(_ spent: Money, of limit: Money?) -> Level {
        guard let limit else { return .within }
        if spent >= limit { return .exceeded }
        // Divided first: a limit near the largest amount must not overflow.
        return spent.nanodollars >= limit.nanodollars / 100 * warningPercent ? .warning : .within
    }
}

/// What was spent against a limit.
struct BudgetUse: Equatable {
    var scope: Budget.Scope
    var spent: Money
    var limit: Money
    /// The day, where it is a day's budget.
    var day: Day?

    var level: Budget.Level { Budget.level(spent, of: limit) }

    var json: JSONObject {
        var object: JSONObject = [
            "scope": JSON(scope.rawValue), "level": JSON(level.rawValue), "spentUsd": JSON(spent.usd),
            "limitUsd": JSON(limit.usd), "share": JSON((spent.usd / max(limit.usd, 1e-9) * 1e4).rounded() / 1e4),
        ]
        object["day"] = day.map { JSON($0.description) }
        return object
    }

    /// Why no turn begins.
    func failure(now: Timestamp) -> Failure {
        let (spent, limit) = (BudgetUse.text(spent), BudgetUse.text(limit))
        switch scope {
        case .session:
            return Failure(
                code: "budget_exceeded",
                message:
                    "The session's budget of \(limit) is used up (\(spent) spent). Raise it, or go on for one turn.",
                recoverable: true, actions: [.raiseBudget, .continueOnce], details: json)
        case .day:
            let wait = day.map { Double(($0 + 1).start.milliseconds - now.milliseconds) / 1000 }
            return Failure(
                code: "budget_exceeded",
                message: "The day's budget of \(limit) for all sessions is used up (\(spent) spent). "
                    + "Go on for one turn, raise budget.perDayUsd, or wait until the day ends (UTC).",
                recoverable: true, retryAfter: wait.map { max(0, $0) }, actions: [.continueOnce, .retryLater],
                details: json)
        }
    }

    /// `$1.25`; whole cents, and more digits where there is less than one.
    static func text(_ money: Money) -> String {
        let cents = (money.nanodollars + 5_000_000) / 10_000_000
        guard cents > 0 || money == .zero else { return "less than $0.01" }
        return "$\(cents / 100).\(cents % 100 < 10 ? "0" : "")\(cents % 100)"
    }
}

/// What a session's log says about its budget: a part of the fold.
package struct SessionBudget: Equatable, Sendable {
    /// The session's own limit; zero for none; nil: what the settings say.
    package private(set) var own: Money?
    /// The queue is held since money ran out.
    package private(set) var isHolding = false

    package init() {}

    package mutating func apply(_ record: EventRecord) {
        guard record.kind == .status else { return }
        switch record.data["type"] {
        case "budget_changed": own = record.data["budgetUsd"]?.doubleValue.map { Money(usd: $0) }
        case "queue_held": isHolding = record.data["code"] == "budget_exceeded"
        case "queue_released": isHolding = false
        default: break
        }
    }

    package var json: JSON {
        var object: JSONObject = ["holding": JSON(isHolding)]
        object["own"] = own.map { .int($0.nanodollars) }
        return .object(object)
    }

    package init(_ json: JSON) {
        isHolding = json["holding"]?.boolValue ?? false
        own = json["own"]?.intValue.map { Money(nanodollars: Int64($0)) }
    }
}
