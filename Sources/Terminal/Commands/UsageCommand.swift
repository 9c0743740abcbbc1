import Base
import Client
import JSON

/// What sessions have used, as a table.
enum UsageCommand {
    @Sendable static func run(_ invocation: Invocation) async throws(CommandFailure) -> ExitCode {
        let grouping = invocation.options["by"] ?? "day"
        guard ["day", "provider", "session", "model"].contains(grouping) else {
            throw .usage("--by takes day, provider, session or model")
        }
        var path = "/usage?by=\(grouping)"
        for name in ["from", "to"] {
            guard let text = invocation.options[name] else { continue }
            guard Day(text) != nil else { throw .usage("--\(name) takes a day, YYYY-MM-DD") }
            path += "&\(name)=\(text)"
        }
        let connection = try await Connection.open(invocation, starts: true)
        let answer = try await connection.call("GET", path)
        let output = Output(invocation)
        if invocation.isJSON { output.print(json: answer) } else { show(answer, grouping, output) }
        return .ok
    }

    private static func show(_ answer: JSON, _ grouping: String, _ output: Output) {
        let rows = answer["rows"]?.arrayValue ?? []
        let period = "\(RequestText.plain(answer["from"])) to \(RequestText.plain(answer["to"]))"
        if rows.isEmpty {
            output.print(StyledText("Nothing was used from \(period).\n"))
        } else {
            let head = ["DAY", "PROVIDER", "SESSION", "MODEL"].first { $0.lowercased() == grouping } ?? ""
            let prefix = SessionCommands.shortLength(rows.compactMap { $0["sessionId"]?.stringValue })
            var table = rows.map { [name($0, grouping, prefix)] + cells($0) }
            if rows.count > 1, let total = answer["total"] { table.append(["total"] + cells(total)) }
            output.print(table: [head, "COST", "TURNS", "IN", "CACHED", "OUT"], table)
        }
        if let count = answer["leftOut"]?.intValue { output.print(StyledText("\(count) more are left out.\n", .dim)) }
        output.print(StyledText(today(answer["today"]) + "\n"))
        let total = answer["total"]
        if (total?["estimatedUsd"]?.doubleValue ?? 0) > 0, let asOf = answer["prices"]?[0]?["asOf"] {
            output.print(
                StyledText("~ estimated from list prices, as of \(RequestText.plain(asOf)) or older\n", .dim))
        }
        if (total?["unpricedTurns"]?.intValue ?? 0) > 0 {
            output.print(StyledText("+ without turns of models whose price is not known\n", .dim))
        }
        if let problem = answer["pricesProblem"] {
            output.print(StyledText("! \(RequestText.plain(problem))\n", .yellow))
        }
    }

    private static func name(_ row: JSON, _ grouping: String, _ prefix: Int) -> String {
        switch grouping {
        case "day": return RequestText.plain(row["day"])
        case "provider": return RequestText.plain(row["providerId"])
        case "model": return row["model"]?.stringValue ?? "(not known)"
        default:
            guard let id = row["sessionId"]?.stringValue else { return "(deleted long ago)" }
            let title = row["deleted"] == true ? "(deleted)" : RequestText.plain(row["title"])
            return "\(id.prefix(prefix)) \(title)"
        }
    }

    private static func cells(_ sum: JSON) -> [String] {
        func number(_ key: String) -> String { TurnSummary.count(max(0, sum[key]?.intValue ?? 0)) }
        return [cost(sum), number("turns"), number("input"), number("cached"), number("output")]
    }

    /// `$1.25`, `~$1.25` where some of it is an estimate, `$1.25+` where some of it isn't known.
    static func cost(_ sum: JSON) -> String {
        let cost = sum["costUsd"]?.doubleValue ?? 0
        let isEstimated = (sum["estimatedUsd"]?.doubleValue ?? 0) > 0
        let isPartial = (sum["unpricedTurns"]?.intValue ?? 0) > 0
        if cost == 0, isPartial { return "not known" }
        return (isEstimated ? "~" : "") + TurnSummary.money(cost) + (isPartial ? "+" : "")
    }

    private static func today(_ today: JSON?) -> String {
        var text = "Today: \(TurnSummary.money(today?["spentUsd"]?.doubleValue ?? 0))"
        if let limit = today?["perDayUsd"]?.doubleValue { text += " of \(TurnSummary.money(limit))" }
        if let limit = today?["perSessionUsd"]?.doubleValue {
            text += "; at most \(TurnSummary.money(limit)) a session"
        }
        return text
    }
}
