import Base
import HTTP1
import HubProtocol
import JSON
import Providers
import Sessions

/// What was used and what it cost, over HTTP and in the metrics.
extension APIHandler {
    func addUsageRoutes(to router: inout Router) {
        router.add(.get, "usage", query: ["from", "to", "by"]) { [self] request throws(Failure) in
            try usage(request.query)
        }
    }

    /// Days of a report that names none.
    private static let defaultDays = 30
    /// Rows of one report; those that cost least are left out first.
    private static let maxRows = 1000

    private func usage(_ query: Fields) throws(Failure) -> APIReply {
        let to = try day("to", query) ?? service.today
        let from = try day("from", query) ?? to + -(APIHandler.defaultDays - 1)
        guard from <= to else {
            throw Failure(
                code: "invalid_request", message: "from must not be after to.", details: ["field": "from"])
        }
        let name = try query.string("by") ?? UsageReport.Grouping.day.rawValue
        guard let grouping = UsageReport.Grouping(rawValue: name) else {
            throw Failure(
                code: "invalid_request", message: "by is day, provider, session or model.", details: ["field": "by"])
        }
        let report = service.usage(from: from, through: to, by: grouping)
        let rows =
            grouping == .day ? report.sorted.suffix(APIHandler.maxRows) : report.sorted.prefix(APIHandler.maxRows)
        var answer: JSONObject = [
            "from": JSON(from.description), "to": JSON(to.description), "by": JSON(grouping.rawValue),
            "rows": .array(rows.map { row($0.key, $0.sum, grouping) }), "total": .object(report.total.json),
        ]
        if rows.count < report.rows.count { answer["leftOut"] = JSON(report.rows.count - rows.count) }
        answer["today"] = .object(todayJSON)
        answer["prices"] = .array(
            service.spending.prices.tables.map {
                ["asOf": JSON($0.asOf.description), "source": JSON($0.source)]
            })
        answer["pricesProblem"] = service.spending.prices.problem.map { JSON($0) }
        return .json(200, .object(answer))
    }

    private func day(_ key: String, _ query: Fields) throws(Failure) -> Day? {
        guard let text = try query.string(key) else { return nil }
        guard let day = Day(text) else {
            throw Failure(
                code: "invalid_request", message: "\(key) must be a day, YYYY-MM-DD.", details: ["field": JSON(key)])
        }
        return day
    }

    private func row(_ key: String, _ sum: UsageLedger.Sum, _ grouping: UsageReport.Grouping) -> JSON {
        var row: JSONObject = [:]
        switch grouping {
        case .day: row["day"] = JSON(key)
        case .provider: row["providerId"] = JSON(key)
        case .model: row["model"] = key.isEmpty ? .null : JSON(key)
        case .session:
            row["sessionId"] = key.isEmpty ? .null : JSON(key)
            if let state = service.state(of: key) {
                row["title"] = state.title.map { JSON($0) } ?? .null
            } else {
                row["deleted"] = true
            }
        }
        return .object(row.merging(sum.json))
    }

    private var todayJSON: JSONObject {
        let budget = service.spending.budget
        return [
            "day": JSON(service.today.description), "spentUsd": JSON(service.spentToday.usd),
            "perDayUsd": budget.perDay.map { JSON($0.usd) } ?? .null,
            "perSessionUsd": budget.perSession.map { JSON($0.usd) } ?? .null,
        ]
    }
}
