import Foundation

/// A daemon's folder that is gone afterwards.
struct Home {
    let folder: URL

    init() throws {
        folder = FileManager.default.temporaryDirectory.appendingPathComponent("codeai-bench-\(UUID().uuidString)")
        for name in ["core", "sessions"] {
            try FileManager.default.createDirectory(
                at: folder.appendingPathComponent(name), withIntermediateDirectories: true,
                attributes: [.posixPermissions: 0o700])
        }
        try FileManager.default.setAttributes([.posixPermissions: 0o700], ofItemAtPath: folder.path)
    }

    func remove() { try? FileManager.default.removeItem(at: folder) }

    /// For `/usr/bin/env`: nothing of the caller's own daemon.
    var environment: [String] { ["CODEAI_HUB_HOME=\(folder.path)", "CORE_LOG_LEVEL=warn"] }

    /// Room for as many clients as are measured, and no end while nobody looks. An agent that is killed again and again
    /// is started again.
    /// - Parameter unloadAfter: seconds that a session stays in memory.
    func configure(unloadAfter: Int = 3600) throws {
        let text =
            #"{"schemaVersion":1,"limits":{"maxClients":30000,"maxConcurrent":100},"lifecycle":{"idleShutdown":0},"#
            + #""sessions":{"circuitFailures":1000000,"unloadAfter":\#(unloadAfter)}}"#
        try Data(text.utf8).write(to: folder.appendingPathComponent("core/config.json"))
    }

    /// The agent that streams, as a provider of each protocol: `bench-claude`, `bench-acp`, `bench-codex`.
    func addAgents() throws {
        for (name, adapter) in [("claude", "claude-stream-json"), ("acp", "acp"), ("codex", "codex-app-server")] {
            let place = folder.appendingPathComponent("providers/bench-\(name)")
            try FileManager.default.createDirectory(
                at: place, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
            // Beside the load generator: what it inherits from the daemon is the daemon's core.
            let arguments = ["--protocol", name] + (canPin ? ["--core", "1"] : [])
            let manifest: [String: Any] = [
                "id": "bench-\(name)", "name": "Bench, \(name)", "adapter": adapter, "command": [binary("agent")],
                "arguments": arguments,
            ]
            try JSONSerialization.data(withJSONObject: manifest).write(to: place.appendingPathComponent("module.json"))
        }
    }

    /// The port of the daemon that runs on this home; nil until it listens.
    var port: Int? {
        guard let data = try? Data(contentsOf: folder.appendingPathComponent("core/endpoint.json")),
            let object = try? JSONSerialization.jsonObject(with: data) as? [String: Any]
        else { return nil }
        return object["port"] as? Int
    }

    /// Writes logs as the daemon does: a user's message, a turn of messages and tool calls, its end, and again. Each
    /// says something else, at another time.
    /// - Parameter first: the number of the first of them.
    func fill(sessions: Int, bytesEach: Int, first: Int = 0) throws {
        var writer = LogWriter()
        for number in first..<first + sessions {
            let id = Home.sessionId(number)
            let path = folder.appendingPathComponent("sessions/\(id).jsonl")
            try writer.log(id, number: number, bytes: bytesEach).write(to: path)
            try FileManager.default.setAttributes([.posixPermissions: 0o600], ofItemAtPath: path.path)
        }
    }

    static func sessionId(_ number: Int) -> String { String(format: "00000000-0000-4000-8000-%012x", number) }

    /// Bytes of a file in the home; 0 when there is none.
    func size(of name: String) -> Double {
        let attributes = try? FileManager.default.attributesOfItem(atPath: folder.appendingPathComponent(name).path)
        return (attributes?[.size] as? NSNumber)?.doubleValue ?? 0
    }
}

/// Makes the text of logs.
private struct LogWriter {
    private var prose = Prose()
    private var out: [UInt8] = []
    private var seq = 0
    private var turn = 0
    private var seconds = 0

    mutating func log(_ id: String, number: Int, bytes: Int) -> Data {
        out = []
        out.reserveCapacity(bytes + 16 << 10)
        seq = 0
        turn = 0
        // Ten minutes from one to the next.
        seconds = 1_700_000_000 + number * 600
        out +=
            (#"{"kind":"header","schema":1,"sessionId":"\#(id)","providerId":"echo","#
            + #""createdAt":"\#(time)","workspace":"/tmp"}"# + "\n").utf8
        event("status", source: "core", #"{"type":"created","title":"Session \#(number): \#(prose.text(40))"}"#)
        repeat {
            turn += 1
            event("message", source: "user", #"{"role":"user","content":"\#(prose.text(200))"}"#)
            event("turn_started", source: "core", "{}")
            for call in 0..<4 {
                let item = "t\(turn)-\(call)"
                let command = prose.text(60)
                event(
                    "tool_call", source: "agent", item: item,
                    #"{"name":"Bash","title":"\#(command)","toolKind":"execute","args":{"command":"\#(command)"},"#
                        + #""status":"running"}"#)
                event(
                    "tool_result", source: "agent", item: item,
                    #"{"status":"completed","content":"\#(prose.text(1900))","exitCode":0}"#)
            }
            event(
                "message", source: "agent", item: "m\(turn)", #"{"role":"assistant","content":"\#(prose.text(1900))"}"#)
            event("usage", source: "agent", #"{"input":1000,"output":200,"cached":0}"#)
            event("turn_completed", source: "agent", #"{"status":"completed","durationMs":1000}"#)
        } while out.count < bytes
        return Data(out)
    }

    private var time: String {
        var parts = tm()
        var now = time_t(seconds)
        gmtime_r(&now, &parts)
        return String(
            format: "%04d-%02d-%02dT%02d:%02d:%02d.000Z", parts.tm_year + 1900, parts.tm_mon + 1, parts.tm_mday,
            parts.tm_hour, parts.tm_min, parts.tm_sec)
    }

    private mutating func event(_ kind: String, source: String, item: String? = nil, _ data: String) {
        seq += 1
        if kind == "turn_started" || kind == "message" { seconds += 1 }
        let ulid = "01K8Z" + String(repeating: "0", count: 21 - String(seq).count) + String(seq)
        out += #"{"seq":\#(seq),"ts":"\#(time)","id":"\#(ulid)","kind":"\#(kind)","turnId":"t\#(turn)","#.utf8
        if let item { out += #""itemId":"\#(item)","#.utf8 }
        out += #""source":"\#(source)","providerId":"echo","data":"#.utf8
        out += data.utf8
        out += "}\n".utf8
    }
}

/// Words as often as in speech: the n-th most frequent comes a n-th as often as the first. Always the same ones.
struct Prose {
    private var state: UInt64 = 1
    private var pool: [UInt8] = []

    /// Of 30,000 words: `w0` is in every message, `w20000` in few.
    static func word(_ rank: Int) -> String {
        let syllables = [
            "ka", "lo", "mi", "ten", "ru", "sa", "vor", "ne", "shi", "pa", "dul", "er", "on", "ti", "ge", "bra",
        ]
        var word = ""
        var rest = rank
        repeat {
            word += syllables[rest % 16]
            rest /= 16
        } while rest > 0
        return word + "x"
    }

    init() {
        let words = (0..<30_000).map { Array(Prose.word($0).utf8) }
        while pool.count < 4 << 20 {
            // The inverse of a Zipf distribution's sum, nearly.
            let rank = Int(exp(Double(random() >> 11) / Double(1 << 53) * log(30_000))) - 1
            pool += words[rank]
            pool.append(0x20)
        }
    }

    private mutating func random() -> UInt64 {
        state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        return state
    }

    /// About so many bytes from anywhere in it.
    mutating func text(_ bytes: Int) -> String {
        var start = Int(random() >> 33) % (pool.count - bytes - 64)
        while pool[start] != 0x20 { start += 1 }
        var end = start + bytes
        while pool[end] != 0x20 { end += 1 }
        return String(decoding: pool[start + 1..<end], as: UTF8.self)
    }
}
