import Foundation
import JSON
import TestSupport
import Testing

/// A real agent in the middle of a long tool, ended in every way there is: nothing of it is left after five seconds.
@Suite(.serialized, .timeLimit(.minutes(10))) struct ProcessHygieneTests {
    enum Way: String, CaseIterable, CustomTestStringConvertible {
        case clientGone, sessionStopped, sessionDeleted, agentKilled, daemonTerminated, daemonKilled

        var testDescription: String { rawValue }
    }

    static let cases = AgentKind.allCases.filter { $0 != .echo }.flatMap { kind in Way.allCases.map { (kind, $0) } }

    /// Processes that have this word in their command line, the test's own aside.
    private func processes(_ marker: String) -> [Int32] {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: "/proc")) ?? []
        return names.compactMap { Int32($0) }.filter { pid in
            guard pid != getpid(), ProcessTable.entry(pid).map({ $0.state != "Z" }) == true,
                let line = FileManager.default.contents(atPath: "/proc/\(pid)/cmdline")
            else { return false }
            return String(decoding: line, as: UTF8.self).contains(marker)
        }
    }

    @Test(arguments: cases) func nothingIsLeft(kind: AgentKind, way: Way) throws {
        let marker = "hygiene-\(UUID().uuidString)"
        let agent = try kind.make()
        let daemon = try agent.makeDaemon()
        let workspace = daemon.folder.path + "/work"
        try FileManager.default.createDirectory(atPath: workspace, withIntermediateDirectories: true)
        defer { for pid in processes(marker) { kill(pid, SIGKILL) } }
        // One of its tool's processes has a session of its own and outlives its parent, as servers do.
        try """
        #!/usr/bin/env python3
        import os, sys, time
        if os.fork() == 0:
            os.setsid()
            if os.fork() == 0:
                time.sleep(600)
            os._exit(0)
        time.sleep(600)
        """.write(toFile: workspace + "/tool.py", atomically: true, encoding: .utf8)
        try daemon.start()
        daemon.keepPort()
        var client: RawWebSocket? = try daemon.client("hygiene")
        var more: JSONObject = ["workspace": JSON(workspace)]
        more["mode"] = agent.mode.map { JSON($0) }
        let session = try daemon.newSession(agent.providerId, more)
        try daemon.say(try #require(agent.prompt(.run("python3 \(workspace)/tool.py \(marker)"))), in: session)
        let request = try client?.frame(type: "permission:requested", within: .seconds(60))["payload"]
        let option = try #require(
            request?["options"]?.arrayValue?.first { $0["kind"]?.stringValue == "allow_once" }?["optionId"])
        try daemon.call(
            "POST", "/sessions/\(session)/permissions/\(try #require(request?["requestId"]?.stringValue))",
            ["optionId": option])
        // The tool and what it left to itself.
        try eventually("the tool runs: \(processes(marker))", within: .seconds(30)) { processes(marker).count >= 2 }
        let children = try daemon.call("GET", "/status")["core"]?["children"]?.arrayValue ?? []
        #expect(children.contains { ($0["rss"]?.intValue ?? 0) > 1 << 20 }, "\(children)")
        let metrics = try daemon.http("GET", "/metrics").text
        #expect(metrics.contains("codeai_provider_resident_memory_bytes{provider=\"\(agent.providerId)\"}"))

        switch way {
        case .clientGone:
            // It works on without anybody watching; who comes next can end it.
            client = nil
            Thread.sleep(forTimeInterval: 0.5)
            #expect(processes(marker).count >= 2)
            try daemon.call("POST", "/sessions/\(session)/stop")
        case .sessionStopped: try daemon.call("POST", "/sessions/\(session)/stop")
        case .sessionDeleted: try daemon.call("DELETE", "/sessions/\(session)")
        case .agentKilled: for child in children { kill(Int32(child["pid"]?.intValue ?? 0), SIGKILL) }
        case .daemonTerminated: try daemon.stop(within: .seconds(30))
        case .daemonKilled:
            try daemon.kill()
            try daemon.start()
        }
        let start = ContinuousClock.now
        try eventually("nothing is left: \(processes(marker))", within: .seconds(5)) { processes(marker).isEmpty }
        print("\(kind) \(way): gone after \(ContinuousClock.now - start)")
        withExtendedLifetime(client) {}
    }
}
