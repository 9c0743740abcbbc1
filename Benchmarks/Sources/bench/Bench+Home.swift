import Foundation

/// What the daemon does with thousands of sessions.
extension Bench {
    func home() throws {
        let (sessions, megabytes) = options.isQuick ? (1000, 100) : (10_000, 5000)
        let home = try Home()
        defer { home.remove() }
        progress("making \(sessions) sessions, \(megabytes) MB, and one of \(megabytes / 50) MB")
        try home.fill(sessions: sessions, bytesEach: megabytes * 1_000_000 / sessions)
        try home.fill(sessions: 1, bytesEach: megabytes * 20_000, first: sessions)
        let bytes = Double(megabytes) * 1_020_000
        try indexed(home, bytes: bytes)
        try asked(home, sessions: sessions)
        try unloaded(home, sessions: min(1000, sessions))
    }

    private func note(_ work: String, _ figures: [String: Double]) {
        progress("\(suite): \(work): \(figures)")
        results.add(figures, suite: suite, work: work, server: "daemon")
    }

    /// Reads everything into the search index, and what others notice of that.
    private func indexed(_ home: Home, bytes: Double) throws {
        let server = try Server(daemonOn: home)
        var isStopped = false
        defer { if !isStopped { server.stop() } }
        // The first start has read all logs before it answers.
        let begun = now()
        var times: [Double] = []
        var rss = 0.0
        var isUnderWay = true
        while isUnderWay {
            guard now() - begun < 3600 else { throw Problem("the index isn't complete after an hour") }
            for _ in 0..<100 {
                times.append(try timed(server, "/health").ms)
                usleep(5000)
            }
            rss = max(rss, residentBytes(server.pid))
            isUnderWay = String(decoding: try get(server.port, "/api/v1/search?q=nothing"), as: UTF8.self)
                .contains("\"indexing\"")
        }
        let seconds = now() - begun
        server.stop()
        isStopped = true
        let index = home.size(of: "core/search.sqlite")
        note(
            "reading all into the search index",
            [
                "seconds": seconds, "megabytesPerSecond": bytes / 1e6 / seconds, "indexBytes": index,
                "share": index / bytes, "rss": rss,
            ])
        note("GET /health meanwhile", summary(times))
    }

    /// How long single requests take, one after the other.
    private func asked(_ home: Home, sessions: Int) throws {
        let server = try Server(daemonOn: home)
        defer { server.stop() }
        let first = try timed(server, "/api/v1/search?q=\(Prose.word(15_000))")
        note("search, the first after a start", ["ms": first.ms, "bytes": Double(first.bytes)])
        // Its look at the logs is over then.
        sleep(5)
        note("at rest", ["rss": residentBytes(server.pid)])
        let deep = Home.sessionId(sessions / 10)
        let large = Home.sessionId(sessions)
        let once = try streamed(server)
        note(
            "core:state, the first client",
            ["ms": once.ms, "bytes": Double(once.bytes), "rss": residentBytes(server.pid)])
        let common = Prose.word(0)
        for (work, path) in [
            ("GET /sessions?limit=20", "/api/v1/sessions?limit=20"),
            ("the same, 9 of 10 pages on", "/api/v1/sessions?limit=20&after=\(deep)"),
            ("the same with q= for one title", "/api/v1/sessions?limit=20&q=session%2077:"),
            ("the same with status=waiting", "/api/v1/sessions?limit=20&status=waiting"),
            ("GET /status", "/api/v1/status"), ("GET /metrics", "/api/v1/metrics"),
            ("GET /usage", "/api/v1/usage"),
            ("the newest 100 events of the large session", "/api/v1/sessions/\(large)/events?before=9999999&limit=100"),
            ("100 events in the middle of it", "/api/v1/sessions/\(large)/events?after=10000&limit=100"),
            ("search, a rare word", "/api/v1/search?q=\(Prose.word(20_000))"),
            ("search, the most frequent word", "/api/v1/search?q=\(common)"),
            ("search, three words", "/api/v1/search?q=\(common)%20\(Prose.word(100))%20\(Prose.word(5000))"),
            ("search, a phrase", "/api/v1/search?q=%22\(common)%20\(Prose.word(1))%22"),
            ("search, the beginning of a word", "/api/v1/search?q=kal"),
            ("search, in the large session", "/api/v1/search?q=\(Prose.word(2000))&sessionId=\(large)"),
        ] {
            var times: [Double] = []
            var bytes = 0
            for _ in 0..<30 {
                let answer = try timed(server, path)
                times.append(answer.ms)
                bytes = answer.bytes
            }
            note(work, summary(times).merging(["bytes": Double(bytes)]) { $1 })
        }
        let streams = try (0..<30).map { _ in try streamed(server) }
        note(
            "core:state, later clients", summary(streams.map(\.ms)).merging(["bytes": Double(streams[0].bytes)]) { $1 })
    }

    /// Opens many sessions, and waits until they have left memory.
    private func unloaded(_ home: Home, sessions: Int) throws {
        let server = try Server(daemonOn: home, unloadAfter: 20)
        defer { server.stop() }
        sleep(8)
        note("before \(sessions) are opened", ["rss": residentBytes(server.pid)])
        var times: [Double] = []
        for number in 0..<sessions { times.append(try timed(server, "/api/v1/sessions/\(Home.sessionId(number))").ms) }
        note("\(sessions) opened, each", summary(times).merging(["rss": residentBytes(server.pid)]) { $1 })
        sleep(45)
        note("after they were unloaded", ["rss": residentBytes(server.pid)])
    }

    private func summary(_ times: [Double]) -> [String: Double] {
        let sorted = times.sorted()
        return ["ms": sorted[sorted.count / 2], "worstMs": sorted[sorted.count - 1]]
    }

    // MARK: Requests

    private func now() -> Double { ProcessInfo.processInfo.systemUptime }

    private func residentBytes(_ pid: Int32) -> Double {
        let fields = (try? String(contentsOfFile: "/proc/\(pid)/statm", encoding: .utf8))?.split(separator: " ") ?? []
        return fields.count > 1 ? (Double(fields[1]) ?? 0) * Double(getpagesize()) : 0
    }

    private func timed(_ server: Server, _ path: String) throws -> (ms: Double, bytes: Int) {
        let begun = now()
        let bytes = try get(server.port, path).count
        return ((now() - begun) * 1000, bytes)
    }

    /// The first frame of a stream.
    private func streamed(_ server: Server) throws -> (ms: Double, bytes: Int) {
        let begun = now()
        let fd = try connected(server.port)
        defer { close(fd) }
        try send(
            fd,
            "GET /api/v1/stream HTTP/1.1\r\nHost: 127.0.0.1:\(server.port)\r\nConnection: Upgrade\r\n"
                + "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
        )
        var bytes: [UInt8] = []
        while true {
            guard try receive(fd, &bytes) else { throw Problem("the stream ended") }
            guard let head = Data(bytes).range(of: Data("\r\n\r\n".utf8))?.upperBound, bytes.count >= head + 10 else {
                continue
            }
            let length =
                switch bytes[head + 1] {
                case 126: 4 + Int(bytes[head + 2]) << 8 + Int(bytes[head + 3])
                case 127: 10 + bytes[head + 2..<head + 10].reduce(0) { $0 << 8 | Int($1) }
                case let short: 2 + Int(short)
                }
            if bytes.count >= head + length { return ((now() - begun) * 1000, length) }
        }
    }

    /// A whole answer, its head included.
    private func get(_ port: Int, _ path: String) throws -> [UInt8] {
        let fd = try connected(port)
        defer { close(fd) }
        try send(fd, "GET \(path) HTTP/1.1\r\nHost: 127.0.0.1:\(port)\r\nConnection: close\r\n\r\n")
        var bytes: [UInt8] = []
        while try receive(fd, &bytes) {}
        guard bytes.starts(with: Array("HTTP/1.1 200 ".utf8)) else {
            throw Problem("\(path): \(String(decoding: bytes.prefix(500), as: UTF8.self))")
        }
        return bytes
    }

    private func connected(_ port: Int) throws -> Int32 {
        let fd = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = in_port_t(UInt16(port).bigEndian)
        address.sin_addr.s_addr = inet_addr("127.0.0.1")
        let isConnected = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(fd, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) == 0
            }
        }
        guard isConnected else {
            close(fd)
            throw Problem("nobody listens on \(port)")
        }
        return fd
    }

    private func send(_ fd: Int32, _ text: String) throws {
        guard write(fd, text, text.utf8.count) == text.utf8.count else { throw Problem("a request couldn't be sent") }
    }

    /// - Returns: false at the end.
    private func receive(_ fd: Int32, _ bytes: inout [UInt8]) throws -> Bool {
        var buffer = [UInt8](repeating: 0, count: 256 << 10)
        let count = read(fd, &buffer, buffer.count)
        guard count >= 0 else { throw Problem("the connection broke") }
        bytes += buffer[..<count]
        return count > 0
    }
}
