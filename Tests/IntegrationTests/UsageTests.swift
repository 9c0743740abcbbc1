import Foundation
import JSON
import TestSupport
import Testing

/// Tokens, money and budgets, on the real daemon with the echo agent.
@Suite struct UsageTests {
    private func today(_ daemon: TestDaemon) throws -> JSON {
        try #require(try daemon.call("GET", "/usage")["today"])
    }

    private func serviceLog(_ daemon: TestDaemon) -> String { daemon.folder.read("hub/logs/core.log") ?? "" }

    private func configuration(perDay: Double) -> JSONObject {
        ["schemaVersion": 1, "budget": ["perDayUsd": JSON(perDay)]]
    }

    @Test func reportedAndEstimatedCostsAreAddedUpAndOutliveDeletionAndRestart() throws {
        let daemon = try TestDaemon()
        try daemon.folder.write(
            "hub/core/prices.json",
            #"{"schema":1,"asOf":"2026-05-01","models":[{"match":["small"],"input":2,"output":10}]}"#)
        try daemon.start()
        let session = try daemon.newSession()
        var end = try #require(try daemon.turn("[[usage:1000000,100000]]", in: session).first("turn_completed"))
        // Echo's model, at the person's own price.
        #expect(end["data"]?["costUsd"] == 3 && end["data"]?["costEstimated"] == true)
        #expect(end["data"]?["usage"]?["model"] == "small")
        end = try #require(try daemon.turn("[[usage:10,5,0.5]]", in: session).first("turn_completed"))
        #expect(end["data"]?["costUsd"] == 0.5 && end["data"]?["costEstimated"] == nil)
        let record = try daemon.record(session)
        #expect(record["costUsd"] == 3.5 && record["costEstimated"] == true)
        #expect(record["usageByProvider"]?["echo"]?["input"] == 1_000_010)

        let other = try daemon.newSession()
        try daemon.turn("[[usage:1,1,0.25]]", in: other)
        let byProvider = try daemon.call("GET", "/usage?by=provider")
        let row = try #require(byProvider["rows"]?[0])
        #expect(row["providerId"] == "echo" && row["costUsd"] == 3.75 && row["estimatedUsd"] == 3 && row["turns"] == 3)
        #expect(byProvider["prices"]?[0]?["asOf"] == "2026-05-01")
        let metrics = try daemon.http("GET", "/metrics").text
        #expect(metrics.contains(#"codeai_cost_usd_total{provider="echo",basis="reported"} 0.75"#))
        #expect(metrics.contains(#"codeai_cost_usd_total{provider="echo",basis="estimated"} 3"#))

        try daemon.call("DELETE", "/sessions/\(session)")
        for _ in 0..<2 {
            #expect(try today(daemon)["spentUsd"] == 3.75)
            let rows = try daemon.call("GET", "/usage?by=session")["rows"]?.arrayValue ?? []
            #expect(rows.map { $0["sessionId"]?.stringValue } == [session, other])
            #expect(rows.first?["deleted"] == true && rows.last?["deleted"] == nil)
            try daemon.restart()
        }
        #expect(daemon.survivors.isEmpty)
    }

    @Test func aBadPriceFileIsNamedAndStopsNothing() throws {
        let daemon = try TestDaemon()
        try daemon.folder.write("hub/core/prices.json", #"{"schema":1,"asOf":"2026-05-01","models":[{"match":[]}]}"#)
        try daemon.start()
        let session = try daemon.newSession()
        let end = try #require(try daemon.turn("[[usage:1000,100]]", in: session).first("turn_completed"))
        #expect(end["data"]?["costUsd"] == nil)
        let answer = try daemon.call("GET", "/usage")
        #expect(answer["total"]?["unpricedTurns"] == 1)
        #expect(answer["pricesProblem"]?.stringValue?.contains("models[0].match") == true)
        #expect(serviceLog(daemon).contains("models[0].match"))
    }

    @Test(arguments: [
        "from=yesterday", "to=2026-02-30", "from=2026-02-02&to=2026-02-01", "by=hour",
    ])
    func badQueriesAreRefused(query: String) throws {
        let daemon = try TestDaemon.running()
        let answer = try daemon.http("GET", "/api/v1/usage?" + query)
        #expect(answer.status == 400)
        #expect(answer.json["error"]?["code"] == "invalid_request")
    }

    @Test func aBudgetWarnsParksAndCanBeRaised() throws {
        let daemon = try TestDaemon.running(configuration: ["budget": ["perSessionUsd": 1]])
        let client = try daemon.client("client")
        let session = try daemon.newSession()
        try daemon.turn("[[usage:1,1,0.85]]", in: session)
        var frame = try client.frame { $0.type == "workflow:event" }
        #expect(frame["payload"]?["level"] == "warning" && frame["payload"]?["sessionId"]?.stringValue == session)
        try daemon.turn("[[usage:1,1,0.25]]", in: session)
        frame = try client.frame { $0.type == "workflow:event" }
        #expect(frame["payload"]?["level"] == "exceeded" && frame["payload"]?["share"] == 1.1)

        let accepted = try daemon.say("[[text:wait for me]]", in: session)
        #expect(accepted["queued"] == true)
        var record = try daemon.record(session)
        #expect(record["held"] == true && record["heldBy"] == "budget" && record["turn"]?.isNull == true)
        #expect(try daemon.events(session).of("error").last?["data"]?["code"] == "budget_exceeded")
        let refused = try daemon.http(
            "POST", "/api/v1/sessions/\(session)/messages", ["content": "x", "mode": "reject"])
        #expect(refused.status == 409)

        // Raised by too little, wrongly, and enough.
        #expect(try daemon.call("PATCH", "/sessions/\(session)", ["budgetUsd": 1.05])["held"] == true)
        #expect(try daemon.http("PATCH", "/api/v1/sessions/\(session)", ["budgetUsd": -1]).status == 400)
        record = try daemon.call("PATCH", "/sessions/\(session)", ["budgetUsd": 5])
        #expect(record["held"] == false && record["budgetUsd"] == 5)
        try daemon.settle(session)
        #expect(agentText(try daemon.events(session)).contains("wait for me"))
    }

    @Test func aDaysBudgetHoldsAllSessionsUntilItIsRaisedInTheFile() throws {
        let daemon = try TestDaemon.running(configuration: configuration(perDay: 1))
        let one = try daemon.newSession()
        let two = try daemon.newSession()
        try daemon.turn("[[usage:1,1,1.5]]", in: one)
        try daemon.say("[[text:second]]", in: two)
        #expect(try daemon.record(two)["heldBy"] == "budget")
        let error = try #require(try daemon.events(two).of("error").last?["data"])
        let wait = try #require(error["retryAfter"]?.doubleValue)
        #expect(wait >= 0 && wait <= 86_400)
        // Going on once, by hand, is for one turn.
        try daemon.call("POST", "/sessions/\(two)/resume")
        try daemon.settle(two)
        try daemon.say("[[text:third]]", in: two)
        #expect(try daemon.record(two)["heldBy"] == "budget")
        // A file that can't be used changes nothing.
        try daemon.folder.write("hub/core/config.json", #"{"schemaVersion":1,"budget":{"perDayUsd":"much"}}"#)
        kill(daemon.pid, SIGHUP)
        try eventually("the bad file is named") { serviceLog(daemon).contains("left as it was") }
        #expect(try daemon.record(two)["held"] == true)
        try daemon.folder.write("hub/core/config.json", JSON.object(configuration(perDay: 50)).description)
        kill(daemon.pid, SIGHUP)
        try daemon.settle(two)
        #expect(agentText(try daemon.events(two)).contains("third"))
        #expect(try today(daemon)["perDayUsd"] == 50)
        #expect(try daemon.call("GET", "/settings")["budget"]?["perDayUsd"] == 50)
        // And without being told: the file is looked at.
        try daemon.folder.write("hub/core/config.json", JSON.object(configuration(perDay: 60)).description)
        try eventually("the file's change is seen") { try today(daemon)["perDayUsd"] == 60 }
    }

    @Test func theTerminalShowsIt() throws {
        let daemon = try TestDaemon.running()
        let session = try daemon.newSession()
        try daemon.turn("[[usage:1234,5,0.5]]", in: session)
        try daemon.turn("[[usage:10,5]]", in: try daemon.newSession("echo", ["title": "priceless"]))
        let table = try daemon.tool(["usage", "--by", "session"])
        #expect(table.code == 0)
        #expect(table.text.contains("$0.5000") && table.text.contains("1,234") && table.text.contains("not known"))
        #expect(table.text.contains("priceless") && table.text.contains("total"))
        let json = try JSON.parse(try daemon.tool(["usage", "--json"]).text)
        #expect(json["total"]?["costUsd"] == 0.5)
        #expect(try daemon.tool(["usage", "--by", "week"]).code == 2)
        #expect(try daemon.tool(["usage", "--from", "soon"]).code == 2)
    }
}
