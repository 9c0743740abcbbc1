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
    func configure() throws {
        let text =
            #"{"schemaVersion":1,"limits":{"maxClients":30000,"maxConcurrent":100},"lifecycle":{"idleShutdown":0},"#
            + #""sessions":{"circuitFailures":1000000}}"#
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

    /// Writes logs as the daemon does: a user's message, a turn of messages and tool calls, its end, and again.
    func fill(sessions: Int, bytesEach: Int) throws {
        let events = Home.events(bytes: bytesEach)
        for number in 0..<sessions {
            let id = String(format: "00000000-0000-4000-8000-%012x", number)
            let header =
                #"{"kind":"header","schema":1,"sessionId":"\#(id)","providerId":"echo","#
                + #""createdAt":"2026-11-01T10:00:00.000Z","workspace":"/tmp"}"# + "\n"
            let path = folder.appendingPathComponent("sessions/\(id).jsonl")
            try (Data(header.utf8) + events).write(to: path)
            try FileManager.default.setAttributes([.posixPermissions: 0o600], ofItemAtPath: path.path)
        }
    }

    private static let lorem = String(repeating: "The agent reads a file and writes a line of it. ", count: 40)

    /// The events of a session with so much in it.
    private static func events(bytes: Int) -> Data {
        var text = ""
        var seq = 0
        var turn = 0
        func event(_ kind: String, source: String, item: String? = nil, _ data: String) {
            seq += 1
            let ulid = "01K8Z" + String(repeating: "0", count: 21 - String(seq).count) + String(seq)
            text += #"{"seq":\#(seq),"ts":"2026-11-01T10:00:00.000Z","id":"\#(ulid)","kind":"\#(kind)","#
            text += #""turnId":"t\#(turn)","# + (item.map { #""itemId":"\#($0)","# } ?? "")
            text += #""source":"\#(source)","providerId":"echo","data":\#(data)}"# + "\n"
        }
        event("status", source: "core", #"{"type":"created","title":"A session"}"#)
        repeat {
            turn += 1
            event("message", source: "user", #"{"role":"user","content":"Do the next thing."}"#)
            event("turn_started", source: "core", "{}")
            for call in 0..<4 {
                let item = "t\(turn)-\(call)"
                event(
                    "tool_call", source: "agent", item: item,
                    #"{"name":"Bash","title":"ls","toolKind":"execute","args":{"command":"ls"},"status":"running"}"#)
                event(
                    "tool_result", source: "agent", item: item,
                    #"{"status":"completed","content":"\#(lorem)","exitCode":0}"#)
            }
            event("message", source: "agent", item: "m\(turn)", #"{"role":"assistant","content":"\#(lorem)"}"#)
            event("usage", source: "agent", #"{"input":1000,"output":200,"cached":0}"#)
            event("turn_completed", source: "agent", #"{"status":"completed","durationMs":1000}"#)
        } while text.utf8.count < bytes
        return Data(text.utf8)
    }
}
