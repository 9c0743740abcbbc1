package import Base
package import HubProtocol
package import JSON

/// What a session has used, by day, provider and model: a part of the fold of its log.
package struct UsageLedger: Equatable, Sendable {
    package struct Key: Hashable, Comparable, Sendable {
        /// The day on which the turn ended.
        package var day: Day
        package var providerId: String
        /// Empty where nobody said which it was.
        package var model: String

        package static func < (a: Key, b: Key) -> Bool {
            (a.day, a.providerId, a.model) < (b.day, b.providerId, b.model)
        }
    }

    package struct Sum: Equatable, Sendable {
        package var turns = 0
        /// Turns that used tokens of which nobody knows the price: the money lacks theirs.
        package var unpricedTurns = 0
        package var input = 0
        package var output = 0
        /// The part of `input` that came from a cache.
        package var cached = 0
        /// What providers said.
        package var reported = Money.zero
        /// What was worked out from list prices where they said nothing.
        package var estimated = Money.zero

        package init() {}

        package var cost: Money { reported + estimated }
        package var isEstimated: Bool { estimated > .zero }

        package static func += (a: inout Sum, b: Sum) {
            a.turns = added(a.turns, b.turns)
            a.unpricedTurns = added(a.unpricedTurns, b.unpricedTurns)
            a.input = added(a.input, b.input)
            a.output = added(a.output, b.output)
            a.cached = added(a.cached, b.cached)
            a.reported += b.reported
            a.estimated += b.estimated
        }

        /// What was added since.
        package static func - (a: Sum, b: Sum) -> Sum {
            var difference = Sum()
            difference.turns = a.turns &- b.turns
            difference.unpricedTurns = a.unpricedTurns &- b.unpricedTurns
            difference.input = a.input &- b.input
            difference.output = a.output &- b.output
            difference.cached = a.cached &- b.cached
            difference.reported = a.reported - b.reported
            difference.estimated = a.estimated - b.estimated
            return difference
        }

        /// Without the overflow that an absurd figure in a log could bring about.
        private static func added(_ a: Int, _ b: Int) -> Int {
            let (sum, overflow) = a.addingReportingOverflow(b)
            return overflow ? .max : sum
        }
    }

    package private(set) var rows: [Key: Sum] = [:]
    /// Over all rows.
    package private(set) var total = Sum()

    /// Models told apart in a day of a provider; what a provider that makes up names adds to, beyond it, is no model's.
    private static let maxModels = 16
    /// Bytes of a model's name.
    private static let maxName = 128

    package init() {}

    package mutating func apply(_ record: EventRecord, providerId: String) {
        switch record.kind {
        case .turnCompleted: add(record, providerId)
        case .status:
            switch record.data["type"] {
            case "background_turn_completed": add(record, providerId)
            // What was copied from another session was paid for there.
            case "forked": self = UsageLedger()
            case "imported": if record.data["copy"] == true { self = UsageLedger() }
            default: break
            }
        default: break
        }
    }

    /// What the provider said that the turn cost; nil when it said nothing, whether or not it was estimated.
    static func reportedUsd(_ record: EventRecord) -> Double? {
        guard record.data["costEstimated"] != true else { return nil }
        let cost = (record.data["costUsd"] ?? record.data["usage"]?["costUsd"])?.doubleValue
        return cost.flatMap { $0.isFinite && $0 >= 0 ? $0 : nil }
    }

    private mutating func add(_ record: EventRecord, _ providerId: String) {
        let usage = record.data["usage"]
        func count(_ key: String) -> Int { max(0, usage?[key]?.intValue ?? 0) }
        var sum = Sum()
        sum.turns = record.kind == .turnCompleted ? 1 : 0
        sum.input = count("input")
        sum.output = count("output")
        sum.cached = min(count("cached"), sum.input)
        if let cost = UsageLedger.reportedUsd(record) {
            sum.reported = Money(usd: cost)
        } else if let cost = record.data["costUsd"]?.doubleValue {
            sum.estimated = Money(usd: cost)
        } else if sum.input > 0 || sum.output > 0 {
            sum.unpricedTurns = 1
        }
        add(
            sum,
            to: Key(
                day: Day(record.timestamp), providerId: record.draft.providerId ?? providerId,
                model: usage?["model"]?.stringValue ?? ""))
    }

    private mutating func add(_ sum: Sum, to key: Key) {
        var key = key
        if !key.model.isEmpty, rows[key] == nil {
            let others = rows.keys.count {
                !$0.model.isEmpty && $0.day == key.day && $0.providerId == key.providerId
            }
            if others >= UsageLedger.maxModels || key.model.utf8.count > UsageLedger.maxName { key.model = "" }
        }
        rows[key, default: Sum()] += sum
        total += sum
    }

    /// Adds what another has, for sums over sessions.
    mutating func merge(_ other: UsageLedger) {
        for (key, sum) in other.rows { add(sum, to: key) }
    }

    package var isEmpty: Bool { rows.isEmpty }
    package var lastDay: Day? { rows.keys.map(\.day).max() }

    /// What a day cost.
    package func cost(on day: Day) -> Money {
        rows.reduce(into: .zero) { if $1.key.day == day { $0 += $1.value.cost } }
    }

    /// The sums of each provider, by its identifier.
    package var byProvider: [String: Sum] {
        rows.reduce(into: [:]) { $0[$1.key.providerId, default: Sum()] += $1.value }
    }
}

extension UsageLedger {
    /// One array a row, in order: the checkpoint is kept for every session, so it is short.
    package var json: JSON {
        .array(
            rows.sorted { $0.key < $1.key }.map { key, sum in
                [
                    JSON(key.day.daysSince1970), JSON(key.providerId), JSON(key.model), JSON(sum.turns),
                    JSON(sum.unpricedTurns), JSON(sum.input), JSON(sum.output), JSON(sum.cached),
                    .int(sum.reported.nanodollars), .int(sum.estimated.nanodollars),
                ]
            })
    }

    /// Nil when it is not what `json` gives.
    package init?(_ json: JSON) {
        guard let rows = json.arrayValue else { return nil }
        for row in rows {
            guard let row = row.arrayValue, row.count == 10, let providerId = row[1].stringValue,
                let model = row[2].stringValue
            else { return nil }
            let numbers = row.enumerated().compactMap { $0 == 1 || $0 == 2 ? nil : $1.intValue }
            // Within the years that a time stamp can name.
            guard numbers.count == 8, (-800_000...3_000_000).contains(numbers[0]),
                numbers.dropFirst().allSatisfy({ $0 >= 0 })
            else { return nil }
            var sum = Sum()
            sum.turns = numbers[1]
            sum.unpricedTurns = numbers[2]
            sum.input = numbers[3]
            sum.output = numbers[4]
            sum.cached = numbers[5]
            sum.reported = Money(nanodollars: Int64(numbers[6]))
            sum.estimated = Money(nanodollars: Int64(numbers[7]))
            add(sum, to: Key(day: Day(daysSince1970: numbers[0]), providerId: providerId, model: model))
        }
    }
}

extension UsageLedger.Sum {
    /// As clients see it; `costUsd` has the estimated part in it.
    package var json: JSONObject {
        [
            "turns": JSON(turns), "unpricedTurns": JSON(unpricedTurns), "input": JSON(input), "output": JSON(output),
            "cached": JSON(cached), "costUsd": JSON(cost.usd), "estimatedUsd": JSON(estimated.usd),
        ]
    }
}
