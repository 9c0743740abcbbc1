package import Base
import JSON

/// Sums of what was used, one for each day, provider, session or model.
package struct UsageReport: Equatable, Sendable {
    package enum Grouping: String, CaseIterable, Sendable { case day, provider, session, model }

    package let grouping: Grouping
    package private(set) var rows: [String: UsageLedger.Sum] = [:]
    package private(set) var total = UsageLedger.Sum()

    package init(grouping: Grouping) { self.grouping = grouping }

    package mutating func add(_ ledger: UsageLedger, of sessionId: String, _ first: Day, _ last: Day) {
        for (key, sum) in ledger.rows where key.day >= first && key.day <= last {
            let name =
                switch grouping {
                case .day: key.day.description
                case .provider: key.providerId
                case .session: sessionId
                case .model: key.model
                }
            rows[name, default: UsageLedger.Sum()] += sum
            total += sum
        }
    }

    /// Days in their order; all else by what it cost, the dearest first.
    package var sorted: [(key: String, sum: UsageLedger.Sum)] {
        rows.map { ($0.key, $0.value) }.sorted { a, b in
            if grouping == .day { return a.0 < b.0 }
            return (b.1.cost, b.1.input, a.0) < (a.1.cost, a.1.input, b.0)
        }
    }
}
