import Foundation
import JSON
import TestSupport
import Testing

/// The metrics, the dashboard and the alerts, judged by the real Prometheus.
@Suite(.timeLimit(.minutes(10))) struct MetricsTests {
    private static let assets = URL(filePath: #filePath).deletingLastPathComponent()
        .appending(path: "../../assets/observability").standardizedFileURL.path

    /// The folder of `prometheus` and `promtool`, which scripts/install-test-tools.sh names.
    private static var programs: String {
        get throws {
            guard let folder = ProcessInfo.processInfo.environment["CODEAI_HUB_TEST_PROMETHEUS"] else {
                throw TestFailure("CODEAI_HUB_TEST_PROMETHEUS is not set: eval \"$(scripts/install-test-tools.sh)\"")
            }
            return folder
        }
    }

    private func promtool(_ arguments: [String], in folder: String, input: String? = nil) throws -> (
        code: Int32, text: String
    ) {
        let process = Process()
        process.executableURL = URL(filePath: try MetricsTests.programs + "/promtool")
        process.arguments = arguments
        process.currentDirectoryURL = URL(filePath: folder)
        let (stdin, output) = (Pipe(), Pipe())
        process.standardInput = stdin
        process.standardOutput = output
        process.standardError = output
        try process.run()
        try stdin.fileHandleForWriting.write(contentsOf: Data((input ?? "").utf8))
        try stdin.fileHandleForWriting.close()
        let text = String(decoding: try output.fileHandleForReading.readToEnd() ?? Data(), as: UTF8.self)
        process.waitUntilExit()
        return (process.terminationStatus, text)
    }

    /// A daemon that has something to tell in every family.
    private func busyDaemon() throws -> TestDaemon {
        let daemon = try TestDaemon.running(configuration: ["budget": ["perDayUsd": 100]])
        let session = try daemon.newSession()
        try daemon.turn("[[usage:1000,50,0.01]][[text:hello]]", in: session)
        try daemon.turn("[[error:quota@3600]]", in: session)
        try daemon.turn("[[crash:3]]", in: session)
        _ = try daemon.http("GET", "/health", headers: [("Host", "evil.example")])
        _ = try daemon.http("GET", "/api/v1/nothing")
        return daemon
    }

    private func metrics(_ daemon: TestDaemon) throws -> String { try daemon.http("GET", "/metrics").text }

    private func value(_ sample: String, _ metrics: String) -> Double? {
        metrics.split(separator: "\n").first { $0.hasPrefix(sample + " ") }.flatMap {
            Double($0.dropFirst(sample.count + 1))
        }
    }

    /// Names of metrics in an expression, without the suffixes of histograms.
    private func names(in text: String) -> Set<String> {
        let pattern = try? NSRegularExpression(pattern: #"\b(?:codeai|process)_[a-z_]+"#)
        let range = NSRange(text.startIndex..., in: text)
        let found = (pattern?.matches(in: text, range: range) ?? []).compactMap {
            Range($0.range, in: text).map { String(text[$0]) }
        }
        return Set(found.map { $0.replacing(/_(bucket|sum|count)$/, with: "") })
    }

    private func families(_ metrics: String) -> Set<String> {
        Set(
            metrics.split(separator: "\n").filter { $0.hasPrefix("# TYPE ") }.map {
                String($0.split(separator: " ")[2])
            })
    }

    /// Every expression of the dashboard, its variables filled in.
    private func expressions() throws -> [String] {
        let text = try String(contentsOfFile: MetricsTests.assets + "/grafana-dashboard.json", encoding: .utf8)
        func collect(_ json: JSON) -> [String] {
            switch json {
            case .array(let elements): elements.flatMap(collect)
            case .object(let object):
                object.flatMap { key, value in
                    key == "expr" ? [value.stringValue ?? ""] : collect(value)
                }
            default: []
            }
        }
        return try collect(JSON.parse(text)).map { text in
            ["$job": "codeai-hub", "$instance": ".*", "$__rate_interval": "1m", "$__range": "1h"]
                .reduce(text) { $0.replacingOccurrences(of: $1.key, with: $1.value) }
        }
    }

    @Test func countWhatHappened() throws {
        let daemon = try busyDaemon()
        let text = try metrics(daemon)
        #expect(value(#"codeai_turns_total{provider="echo",status="completed"}"#, text) == 1)
        #expect(value(#"codeai_turns_total{provider="echo",status="failed"}"#, text) == 2)
        #expect(value(#"codeai_turn_seconds_count{provider="echo"}"#, text) == 3)
        #expect(value(#"codeai_quota_hits_total{provider="echo"}"#, text) == 1)
        #expect(value(#"codeai_errors_total{provider="echo",code="provider_crashed"}"#, text) == 1)
        #expect(value(#"codeai_provider_exits_total{provider="echo",reason="exited"}"#, text) == 1)
        #expect(value(#"codeai_tokens_total{provider="echo",direction="input"}"#, text) == 1000)
        #expect(value(#"codeai_cost_usd_total{provider="echo",basis="reported"}"#, text) == 0.01)
        #expect(value("codeai_day_cost_usd", text) == 0.01)
        #expect(value("codeai_day_budget_usd", text) == 100)
        #expect(value(#"codeai_requests_forbidden_total{reason="wrong_host"}"#, text) == 1)
        #expect((value(#"codeai_http_responses_total{class="4xx"}"#, text) ?? 0) >= 1)
        #expect((value(#"codeai_append_seconds_bucket{le="+Inf"}"#, text) ?? 0) > 0)
        #expect(value("codeai_append_seconds_count", text) == value("codeai_events_appended_total", text))
        #expect((value("codeai_loop_turn_seconds_count", text) ?? 0) > 10)
        #expect((value("process_resident_memory_bytes", text) ?? 0) > 1_000_000)
        let started = value("process_start_time_seconds", text) ?? 0
        #expect(abs(started - Date().timeIntervalSince1970) < 600)
        let open = ProcessTable.openDescriptors(of: daemon.pid)
        #expect(abs((value("process_open_fds", text) ?? 0) - Double(open)) < 20)
        // What was used is worked out anew after a restart, and is the same; a deleted session's counts on.
        let session = try #require(try daemon.call("GET", "/sessions")["sessions"]?[0]?["id"]?.stringValue)
        try daemon.restart()
        _ = try daemon.http("DELETE", "/api/v1/sessions/\(session)")
        let later = try metrics(daemon)
        #expect(value(#"codeai_tokens_total{provider="echo",direction="input"}"#, later) == 1000)
        #expect(value(#"codeai_sessions{status="failed"}"#, later) == 0)
    }

    @Test func promtoolFindsNothing() throws {
        let daemon = try busyDaemon()
        let page = try promtool(["check", "metrics"], in: daemon.folder.path, input: metrics(daemon))
        #expect(page.code == 0 && page.text.isEmpty, "\(page)")
        for arguments in [
            ["check", "rules", "alerts.yml"], ["test", "rules", "alerts.test.yml"],
            ["check", "config", "prometheus.yml"],
        ] {
            let result = try promtool(arguments, in: MetricsTests.assets)
            #expect(result.code == 0, "\(result)")
        }
        // No label names a session, a client or a model.
        let labels = Set(
            try metrics(daemon).matches(of: /[{,]([a-z_]+)="/).map { String($0.output.1) })
        #expect(
            labels.isSubset(of: [
                "version", "reason", "class", "status", "kind", "provider", "state", "code", "outcome", "direction",
                "basis", "le",
            ]), "\(labels)")
    }

    @Test func whatDashboardAndAlertsNameIsThere() throws {
        let there = families(try metrics(busyDaemon()))
        let alerts = try String(contentsOfFile: MetricsTests.assets + "/alerts.yml", encoding: .utf8)
        let dashboard = try expressions()
        #expect(dashboard.count > 50)
        let named = names(in: alerts).union(dashboard.reduce(into: Set<String>()) { $0.formUnion(names(in: $1)) })
        #expect(named.subtracting(there).isEmpty, "\(named.subtracting(there).sorted()) are no metrics")
        // And what is there is shown.
        #expect(there.subtracting(named).isEmpty, "\(there.subtracting(named).sorted()) are nowhere to be seen")
        // Every alert is tried.
        let tests = try String(contentsOfFile: MetricsTests.assets + "/alerts.test.yml", encoding: .utf8)
        for name in alerts.matches(of: /- alert: (\w+)/).map({ $0.output.1 }) {
            #expect(tests.contains("alertname: \(name)\n        exp_alerts:"), "\(name) is never expected to fire")
        }
    }

    @Test func prometheusScrapesAndAnswers() throws {
        let daemon = try busyDaemon()
        let port = try freePort()
        try daemon.folder.write(
            "prometheus.yml",
            """
            global: { scrape_interval: 1s, evaluation_interval: 1s }
            rule_files: ["\(MetricsTests.assets)/alerts.yml"]
            scrape_configs:
              - job_name: codeai-hub
                static_configs: [{ targets: ["127.0.0.1:\(daemon.port)"] }]
            """)
        let process = Process()
        process.executableURL = URL(filePath: try MetricsTests.programs + "/prometheus")
        process.arguments = [
            "--config.file=\(daemon.folder.path)/prometheus.yml", "--storage.tsdb.path=\(daemon.folder.path)/tsdb",
            "--web.listen-address=127.0.0.1:\(port)", "--log.level=error",
        ]
        process.standardOutput = FileHandle.nullDevice
        process.standardError = FileHandle.nullDevice
        try process.run()
        defer {
            kill(process.processIdentifier, SIGKILL)
            process.waitUntilExit()
        }
        func query(_ expression: String) throws -> JSON {
            let encoded = expression.addingPercentEncoding(withAllowedCharacters: .alphanumerics) ?? ""
            let connection = try RawConnection(port: port)
            try connection.send(
                "GET /api/v1/query?query=\(encoded) HTTP/1.1\r\nHost: 127.0.0.1:\(port)\r\nConnection: close\r\n\r\n")
            guard let response = try connection.response(hasBody: true) else { throw TestFailure("no answer") }
            return response.json
        }
        try eventually("Prometheus has scraped the daemon", within: .seconds(60)) {
            guard let result = try? query("codeai_turns_total{status=\"completed\"}")["data"]?["result"] else {
                return false
            }
            return result[0]?["metric"]?["provider"] == "echo" && result[0]?["value"]?[1] == "1"
        }
        #expect(try query("up{job=\"codeai-hub\"}")["data"]?["result"]?[0]?["value"]?[1] == "1")
        let quantile = try query("histogram_quantile(0.99, sum by (le) (codeai_append_seconds_bucket))")
        let seconds = quantile["data"]?["result"]?[0]?["value"]?[1]?.stringValue.flatMap { Double($0) }
        #expect((seconds ?? -1) > 0 && (seconds ?? 99) <= 5, "\(quantile)")
        // Every panel's expression is one that Prometheus understands.
        for expression in try expressions() {
            let answer = try query(expression)
            #expect(answer["status"] == "success", "\(expression): \(answer)")
        }
        let rules = try query("count(ALERTS) or vector(0)")
        #expect(rules["status"] == "success")
    }

    private func freePort() throws -> UInt16 {
        let fd = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        defer { close(fd) }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = inet_addr("127.0.0.1")
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let bound = withUnsafeMutablePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(fd, $0, length) == 0 && getsockname(fd, $0, &length) == 0
            }
        }
        guard bound else { throw TestFailure("no free port") }
        return UInt16(bigEndian: address.sin_port)
    }
}
