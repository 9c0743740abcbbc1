import Foundation
import JSON
import TestSupport
import Testing

/// Starting, ending, and what the daemon tells about itself.
@Suite(.timeLimit(.minutes(10))) struct LifeCycleTests {
    @Test func aSecondDaemonIsTurnedAway() throws {
        let first = try TestDaemon.running()
        let second = try TestDaemon(environment: ["CODEAI_HUB_HOME": first.home])
        let exit = try second.runToEnd()
        #expect(exit.code == 3)
        #expect(exit.log.contains("\(first.pid)"))
        #expect(try first.http("GET", "/health").status == 200)
        #expect(first.folder.read("hub/core/endpoint.json")?.contains("\(first.pid)") == true)
    }

    @Test func aTakenPortIsNamed() throws {
        let first = try TestDaemon.running()
        let second = try TestDaemon(environment: ["CORE_PORT": "\(first.port)"])
        let exit = try second.runToEnd()
        #expect(exit.code == 4)
        #expect(exit.log.contains("\(first.port)"))
    }

    @Test func aBrokenConfigurationIsNamedWithItsLine() throws {
        for text in ["{\n  \"schemaVersion\": 1,\n  oops\n}", "{\n  \"schemaVersion\": 1,\n  \"server\": 7\n}"] {
            let daemon = try TestDaemon()
            try daemon.folder.write("hub/core/config.json", text)
            let exit = try daemon.runToEnd()
            #expect(exit.code == 5)
            #expect(exit.log.contains("config.json"))
            #expect(exit.log.contains("3"), Comment(rawValue: exit.log))
            // The person's file is never overwritten.
            #expect(daemon.folder.read("hub/core/config.json") == text)
            daemon.arguments = ["--check-config"]
            #expect(try daemon.runToEnd().code > 0)
        }
    }

    @Test func theFirstStartWritesAValidConfiguration() throws {
        let daemon = try TestDaemon.running()
        let config = try JSON.parse(try #require(daemon.folder.read("hub/core/config.json")))
        #expect(config["schemaVersion"]?.intValue == 1)
        try daemon.stop()
        daemon.arguments = ["--check-config"]
        #expect(try daemon.runToEnd().code == 0)
    }

    @Test func theProgramsTellTheirVersionAndHelp() throws {
        let daemon = try TestDaemon()
        daemon.arguments = ["--version"]
        let version = try daemon.runToEnd()
        #expect(version.code == 0)
        #expect(version.log.contains("."))
        daemon.arguments = ["--help"]
        let help = try daemon.runToEnd()
        #expect(help.code == 0)
        #expect(help.log.contains("--config"))
        daemon.arguments = ["--odd"]
        #expect(try daemon.runToEnd().code != 0)
        // None of them makes a home.
        #expect(daemon.folder.read("hub/core/token") == nil)
    }

    @Test func healthAndStatusHaveTheirShape() throws {
        let daemon = try TestDaemon.running()
        let session = try daemon.newSession()
        let client = try daemon.client("client")
        for path in ["/health", "/api/v1/health"] {
            let health = try daemon.http("GET", path).json
            #expect(health["status"] == "ok")
            #expect(health["version"]?.stringValue?.isEmpty == false)
            #expect(health["uptime"]?.doubleValue != nil)
            #expect(health["clients"]?.intValue == 1)
            #expect(health["activeSessions"]?.intValue != nil)
        }
        for path in ["/status", "/api/v1/status"] {
            let status = try daemon.http("GET", path).json
            let core = try #require(status["core"])
            #expect(core["pid"]?.intValue == Int(daemon.pid))
            #expect(core["port"]?.intValue == Int(daemon.port))
            #expect(core["host"] == "127.0.0.1")
            #expect(core["instanceId"]?.stringValue?.isEmpty == false)
            #expect(core["clients"]?.intValue == 1)
            #expect(core["memory"]?.isNull == false)
            #expect(core["children"]?.isNull == false)
            #expect(status["sessions"]?[0]?["id"]?.stringValue == session)
            let providers = status["providers"]?.arrayValue ?? []
            let echo = try #require(providers.first { $0["id"] == "echo" })
            for member in [
                "name", "description", "status", "installed", "version", "authenticated", "capabilities", "quota",
            ] {
                #expect(echo[member] != nil, Comment(rawValue: member))
            }
            #expect(echo["status"] == "active")
            #expect(echo["installed"] == true)
            #expect(providers.contains { $0["id"] == "claudeCodeCli" })
            #expect(status["recoveries"]?.arrayValue?.isEmpty == true)
        }
        let endpoint = try JSON.parse(try #require(daemon.folder.read("hub/core/endpoint.json")))
        #expect(endpoint["instanceId"] == (try daemon.http("GET", "/status").json["core"]?["instanceId"]))
        client.close()
        try eventually("the client is counted out") { try daemon.http("GET", "/health").json["clients"] == 0 }
    }

    @Test func metricsAreWellFormed() throws {
        let daemon = try TestDaemon.running()
        let session = try daemon.newSession()
        try daemon.turn("[[stream:10x10]][[usage:10,5,0.01]]", in: session)
        let response = try daemon.http("GET", "/metrics")
        #expect(response["Content-Type"]?.hasPrefix("text/plain") == true)
        var typed: Set<String> = []
        var values: [String: Double] = [:]
        for line in response.text.split(separator: "\n") {
            if line.hasPrefix("# TYPE ") {
                let name = String(line.split(separator: " ")[2])
                #expect(typed.insert(name).inserted, Comment(rawValue: "\(name) is declared twice"))
                continue
            }
            if line.hasPrefix("#") { continue }
            let match = try #require(
                line.wholeMatch(of: /([a-zA-Z_:][a-zA-Z0-9_:]*)(\{.*\})? ([-+0-9.eEInfNa]+)/), "\(line)")
            let value = try #require(Double(match.3), "\(line)")
            let name = String(match.1)
            let family = typed.contains(name) ? name : name.replacing(/_(bucket|sum|count)$/, with: "")
            #expect(typed.contains(family), Comment(rawValue: "\(name) has no TYPE"))
            values[String(match.1) + (match.2.map(String.init) ?? "")] = value
        }
        #expect(values.count > 10)
        #expect(values.contains { $0.key.contains("appended") && $0.value > 0 })
    }

    @Test func connectionsAreKeptAndPipelined() throws {
        let daemon = try TestDaemon.running()
        let connection = try RawConnection(port: daemon.port)
        let request = "GET /health HTTP/1.1\r\nHost: \(daemon.authority)\r\n\r\n"
        try connection.send(String(repeating: request, count: 50))
        for _ in 0..<50 {
            let response = try #require(try connection.response())
            #expect(response.status == 200)
            #expect(response["Date"] != nil)
        }
        try connection.send("HEAD /health HTTP/1.1\r\nHost: \(daemon.authority)\r\n\r\n" + request)
        let head = try #require(try connection.response(hasBody: false))
        let full = try #require(try connection.response())
        #expect(head.status == 200)
        #expect(head["Content-Length"].flatMap { Int($0) }.map { abs($0 - full.body.count) <= 4 } == true)
        // Byte by byte, and with 100-continue.
        let body = #"{"providerId":"echo"}"#
        let slow =
            "POST /api/v1/sessions HTTP/1.1\r\nHost: \(daemon.authority)\r\nExpect: 100-continue\r\nContent-Length: \(body.utf8.count)\r\n\r\n"
        for byte in slow.utf8 { try connection.send([byte]) }
        #expect(try connection.response()?.status == 100)
        try connection.send(body)
        let created = try #require(try connection.response())
        #expect(created.status == 201)
        #expect(created["Location"]?.hasSuffix(created.json["id"]?.stringValue ?? "?") == true)
    }

    @Test func oneClientTooManyIsRefusedBeforeTheUpgrade() throws {
        let daemon = try TestDaemon.running(configuration: ["limits": ["maxClients": 3]])
        let clients = try (0..<3).map { try daemon.client("client \($0)") }
        do {
            _ = try daemon.webSocket()
            Issue.record("a fourth client came in")
        } catch let refused as RawWebSocket.Refused {
            #expect(refused.response?.status == 503)
            #expect(refused.response?.errorCode == "too_many_clients")
        }
        clients[0].close()
        try eventually("there is room again") { (try? daemon.webSocket()) != nil }
    }

    @Test func aShutdownByRequest() throws {
        let daemon = try TestDaemon.running()
        let client = try daemon.client("client")
        let session = try daemon.newSession()
        try daemon.say("[[stream:10000x10@50]]", in: session)
        _ = try client.frame(type: "stream:chunk")
        #expect(try daemon.http("POST", "/api/v1/core/shutdown", ["graceMs": 100]).status == 202)
        _ = try client.frame(type: "core:shutdown")
        #expect(try daemon.waitForExit().code == 0)
        try daemon.start()
        let records = try daemon.events(session)
        #expect(records.last { $0["kind"] == "turn_completed" }?["data"]?["status"] == "interrupted")
    }

    @Test func controlCTwiceIsImmediate() throws {
        let daemon = try TestDaemon.running()
        let client = try daemon.client("client")
        let session = try daemon.newSession()
        // Nothing but a kill ends this one: politely, it would take as long as the grace and more.
        try daemon.say("[[text:on]][[hang:hard]]", in: session)
        _ = try client.frame(type: "stream:chunk")
        kill(daemon.pid, SIGINT)
        _ = try client.frame(type: "core:shutdown")
        let begin = ContinuousClock.now
        #expect(try daemon.stop(SIGINT).code == 130)
        #expect(ContinuousClock.now - begin < .seconds(8))
        #expect(daemon.folder.read("hub/core/endpoint.json") == nil)
        try eventually("nothing is left: \(daemon.survivors)") { daemon.survivors.isEmpty }
        try daemon.start()
        #expect(try daemon.events(session).of("turn_completed").last?["data"]?["status"] == "interrupted")
    }

    @Test func anIdleDaemonEndsByItself() throws {
        let daemon = try TestDaemon.running(configuration: ["lifecycle": ["idleShutdown": 0.4]])
        let pid = daemon.pid
        let client = try daemon.client("client")
        // Not while a client is there,
        usleep(1_200_000)
        #expect(kill(pid, 0) == 0)
        // nor while a turn runs for nobody.
        let session = try daemon.newSession()
        try daemon.say("[[stall:2]][[text:worked alone]]", in: session)
        client.close()
        #expect(try daemon.waitForExit().code == 0)
        #expect(daemon.folder.read("hub/core/endpoint.json") == nil)
        #expect(agentText(Array(try daemon.sessionLog(session).dropFirst())) == "worked alone")
    }

    /// The agent fails; the session says so and goes on.
    @Test(arguments: [
        ("[[error:rate_limited slow down]]", "rate_limited"), ("[[error:quota enough]]", "quota_exhausted"),
        ("[[error:auth who are you]]", "authentication_failed"), ("[[error:overloaded later]]", "overloaded"),
        ("[[error:internal oops]]", "provider_error"), ("[[stderr:last words]][[crash:3]]", "provider_crashed"),
        ("[[signal:9]]", "provider_crashed"),
    ])
    func anAgentThatFails(prompt: String, code: String) throws {
        let daemon = try TestDaemon.running()
        let session = try daemon.newSession()
        let records = try daemon.turn(prompt, in: session)
        let error = try #require(records.first("error")?["data"], "\(records)")
        #expect(error["code"]?.stringValue == code, Comment(rawValue: "\(error)"))
        #expect(error["message"]?.stringValue?.isEmpty == false)
        #expect(error["actions"]?.arrayValue != nil)
        #expect(records.first("turn_completed")?["data"]?["status"] == "failed")
        #expect(try daemon.status(session) == "failed")
        if prompt.contains("last words") { #expect("\(records)".contains("last words")) }
        let next = try daemon.turn("[[text:fine again]]", in: session, within: .seconds(30))
        #expect(agentText(next).contains("fine again"))
        #expect(try daemon.status(session) == "idle")
    }

    @Test func garbageFromAnAgentIsKeptOut() throws {
        let daemon = try TestDaemon.running()
        let session = try daemon.newSession()
        let records = try daemon.turn("[[garbage]][[large:2000000]][[text:after]]", in: session, within: .seconds(30))
        #expect(agentText(records).hasSuffix("after"))
        #expect(records.first("turn_completed")?["data"]?["status"] == "completed")
        #expect(records.contains { ($0["data"]?["content"]?.stringValue?.utf8.count ?? 0) >= 2_000_000 })
    }
}
