import Base
import Foundation
import HubProtocol
import JSON
import ProviderClaude
import Providers
import TestSupport
import Testing

/// Sessions that the real Claude Code 2.1.329 has written, and what others might have.
@Suite struct ClaudeTranscriptTests {
    private let first = "11111111-2222-4333-8444-555555555555"
    private let second = "22222222-2222-4333-8444-555555555555"

    private struct Read {
        var events: [ArchivedEvent] = []
        var times: [Timestamp?] = []
        var skipped: [String: Int] = [:]
        var title: String?
        var model: String?

        var prompts: [String] { events.compactMap { if case .prompt(let text, _) = $0 { text } else { nil } } }
        var outcomes: [TurnOutcome] {
            events.compactMap { if case .event(.turnCompleted(let outcome)) = $0 { outcome } else { nil } }
        }
        var messages: [Message] {
            events.compactMap { if case .event(.message(let message)) = $0 { message } else { nil } }
        }
        var results: [ToolResult] {
            events.compactMap { if case .event(.toolResult(let result)) = $0 { result } else { nil } }
        }
        var customs: [String] {
            events.compactMap { if case .event(.custom(let type, _)) = $0 { type } else { nil } }
        }
    }

    private func read(_ reader: any ArchiveReader, _ bytes: [UInt8], limit: Int = 16 << 20) -> Read {
        var reader = reader
        var read = Read()
        var splitter = LineSplitter(limit: limit)
        func take(_ time: Timestamp?, _ event: ArchivedEvent) {
            read.times.append(time)
            read.events.append(event)
        }
        splitter.feed(bytes) { reader.read($0, take) }
        splitter.finish { reader.read($0, take) }
        reader.finish(take)
        read.skipped = reader.skipped
        read.title = reader.title
        read.model = reader.model
        return read
    }

    private func read(_ lines: [String]) -> Read {
        read(ClaudeTranscript(), Array(lines.joined(separator: "\n").utf8))
    }

    private var archive: ClaudeArchive { ClaudeArchive(environment: ["CLAUDE_CONFIG_DIR": Capture.folder.path]) }

    private func readArchived(_ id: String) throws -> Read {
        guard let opened = try archive.open(id) else { throw TestFailure("no session \(id)") }
        return read(opened.reader, try opened.file.read(from: 0, count: opened.file.bytes))
    }

    private func has(_ archive: ClaudeArchive, _ id: String) throws -> Bool {
        guard let opened = try archive.open(id) else { return false }
        return opened.session.nativeSessionId == id
    }

    // MARK: Written by the real program

    @Test func aRealSessionIsReadAsItHappened() throws {
        let session = try readArchived(first)
        #expect(session.prompts.count == 5)
        #expect(session.prompts[1] == "Second turn [[text:second answer]]")
        #expect(session.messages.map(\.text) == ["First I look.", "Finished.", "second answer"])
        #expect(session.outcomes.map(\.status) == [.completed, .completed, .failed, .failed, .failed])
        #expect(session.outcomes.first?.stopReason == "end_turn")
        // Six requests of 1033 tokens, however many lines repeat each one's usage.
        #expect(session.outcomes.first?.usage?.input == 6198)
        #expect(session.outcomes.first?.usage?.output == 60)
        let costs = session.outcomes.compactMap { $0.usage?.costUsd }
        #expect(abs(costs.reduce(0, +) - 0.0298158) < 1e-9)
        let statuses = session.results.map(\.status)
        #expect(statuses == [.completed, .completed, .completed, .failed, .failed])
        #expect(session.results[3].exitCode == 1)
        let diffs = session.events.compactMap { if case .event(.diff(let diff)) = $0 { diff } else { nil } }
        #expect(diffs.map(\.path) == ["/home/user/ws/a.txt", "/home/user/ws/b.txt"])
        #expect(diffs.first?.unified?.contains("-hello world\n+hello there") == true)
        #expect(session.customs.isEmpty)
        #expect((session.skipped["attachment"] ?? 0) > 5)
        #expect(session.model == "claude-opus-5-5")
        #expect(session.times.allSatisfy { $0 != nil })
    }

    @Test func aSubagentIsReadOnce() {
        let said =
            #"{"type":"assistant","isSidechain":true,"message":{"id":"m","role":"assistant","content":[{"type":"text","text":"inside"}]}}"#
        let itself =
            #"{"type":"user","isSidechain":true,"toolUseResult":{"agentId":"a"},"message":{"role":"user","content":[{"type":"tool_result","tool_use_id":"u1","content":"x"}]}}"#
        let reader = ClaudeTranscript { agent in
            agent == "a" ? [.whole(Array(said.utf8)), .whole(Array(itself.utf8))] : []
        }
        let result =
            #"{"type":"user","toolUseResult":{"agentId":"a"},"message":{"role":"user","content":[{"type":"tool_result","tool_use_id":"u1","content":"x"}]}}"#
        let lines = [#"{"type":"user","message":{"role":"user","content":"go"}}"#] + Array(repeating: result, count: 50)
        let read = read(reader, Array(lines.joined(separator: "\n").utf8))
        #expect(read.messages.count { $0.text == "inside" } == 1)
    }

    @Test func subagentsAndBackgroundTasksAreThere() throws {
        let session = try readArchived(second)
        #expect(session.prompts.first?.hasPrefix("Sub ") == true)
        let call = session.events.firstIndex {
            if case .event(.toolCall(let call)) = $0 { call.toolKind == "agent" } else { false }
        }
        let said = session.events.firstIndex {
            if case .event(.message(let message)) = $0 { message.parentItemId == "toolu_17" } else { false }
        }
        let result = session.events.firstIndex { if case .event(.toolResult) = $0 { true } else { false } }
        let order = [call, said, result].compactMap { $0 }
        #expect(order.count == 3 && order == order.sorted())
        #expect(session.events.contains(.event(.turnStarted(reason: "background_task"))))
        #expect(session.prompts.contains("/compact"))
        let outputs = session.events.compactMap { event -> String? in
            if case .event(.status("local_command", let data)) = event { data["output"]?.stringValue } else { nil }
        }
        #expect(outputs == ["Error during compaction: API Error: 400 fake 400"])
        #expect(session.skipped["local-command-caveat"] == 1)
    }

    @Test func theListHasTheRealSessions() throws {
        let sessions = archive.list(limit: 10)
        #expect(Set(sessions.map(\.nativeSessionId)) == [first, second])
        let session = try #require(sessions.first { $0.nativeSessionId == first })
        #expect(session.workspace == "/home/user/ws")
        #expect(session.version == "2.1.329")
        #expect(session.firstPrompt?.hasPrefix("Please [[think:let me see]]") == true)
        #expect(session.createdAt.description == "2026-11-21T14:15:16.874Z")
        #expect(archive.list(limit: 1).count == 1)
        #expect(try !has(archive, "33333333-2222-4333-8444-555555555555"))
    }

    // MARK: Written by hand

    private func user(_ text: String, _ more: String = "") -> String {
        #"{"type":"user","message":{"role":"user","content":\#(JSON(text))},"uuid":"u","timestamp":"2026-01-01T00:00:00Z"\#(more)}"#
    }

    private func assistant(_ block: String, stop: String = "end_turn", _ more: String = "") -> String {
        #"{"type":"assistant","message":{"id":"m1","role":"assistant","model":"x","stop_reason":"\#(stop)","content":[\#(block)],"usage":{"input_tokens":1,"output_tokens":2}},"timestamp":"2026-01-01T00:00:05Z"\#(more)}"#
    }

    @Test func aTurnThatWasCutIsInterrupted() {
        let tool = #"{"type":"tool_use","id":"t1","name":"Bash","input":{"command":"sleep 9"}}"#
        #expect(read([user("go"), assistant(tool, stop: "tool_use")]).outcomes.map(\.status) == [.interrupted])
        #expect(read([user("go")]).outcomes.map(\.status) == [.interrupted])
        let stopped = read([
            user("go"), assistant(#"{"type":"text","text":"I"}"#), user("[Request interrupted by user]"),
        ])
        #expect(stopped.outcomes.map(\.status) == [.interrupted])
        #expect(stopped.prompts == ["go"])
        let whole = read([user("go"), assistant(#"{"type":"text","text":"I did"}"#), user("next")])
        #expect(whole.outcomes.map(\.status) == [.completed, .interrupted])
        #expect(whole.outcomes.first?.durationMs == 5000)
    }

    @Test func titlesAndImagesAndQueuedPrompts() {
        let session = read([
            #"{"type":"ai-title","aiTitle":"Made up"}"#, #"{"type":"custom-title","customTitle":"Given"}"#,
            #"{"type":"summary","summary":"Later"}"#,
            #"{"type":"user","message":{"role":"user","content":[{"type":"text","text":"look"},{"type":"image","source":{"type":"base64","media_type":"image/png","data":"AAAAAAAA"}}]}}"#,
            assistant(#"{"type":"text","text":"I see"}"#),
            #"{"type":"attachment","attachment":{"type":"queued_command","prompt":"and this"}}"#,
            user("context", #","isMeta":true"#), user("what was", #","isCompactSummary":true"#),
        ])
        #expect(session.title == "Given")
        #expect(session.prompts == ["look\n[image/png, 6 bytes]"])
        #expect(session.messages.map(\.role) == ["assistant", "user", "system", "system"])
    }

    @Test func oddLinesEndNothing() {
        let deep = String(repeating: "[", count: 100_000)
        let lines = [
            "", "   ", "no json", "[]", "7", #"{"type":7}"#, #"{"type":"user"}"#, #"{"type":"user","message":null}"#,
            #"{"type":"user","message":{"content":7}}"#, #"{"type":"user","message":{"content":[7,{"type":"new"}]}}"#,
            #"{"type":"assistant"}"#, #"{"type":"assistant","message":{"content":"text"}}"#,
            #"{"type":"assistant","message":{"content":[{"type":"tool_use"},{"type":"future","x":1},null]}}"#,
            #"{"type":"system","subtype":"of_tomorrow","content":"x"}"#, #"{"type":"system"}"#,
            #"{"type":"of_tomorrow","x":"\#(String(repeating: "y", count: 100_000))"}"#,
            #"{"type":"cost-state","totalCostUSD":"much"}"#, #"{"type":"cost-state","totalCostUSD":-1e999}"#,
            #"{"type":"user","timestamp":"yesterday","message":{"content":"fine"}}"#, deep,
            #"{"type":"user","message":{"content":[{"type":"tool_result","tool_use_id":"nobody's"}]}}"#,
            #"{"type":"assistant","isSidechain":true,"message":{"id":"s","content":[{"type":"text","text":"side"}]}}"#,
            user("fine too"), #"{"type":"assistant","message":{"content":[{"type":"te"#,
        ]
        let session = read(lines)
        #expect(session.prompts == ["fine", "fine too"])
        #expect(session.customs.contains("of_tomorrow") && session.customs.contains("unparsed_output"))
        #expect(session.customs.contains("system:of_tomorrow"))
        for case .event(.custom(_, let data)) in session.events { #expect(data.serialize().count < 100_000) }
        let long = read(ClaudeTranscript(), Array((user("short") + "\n" + user(deep) + "\n").utf8), limit: 1000)
        #expect(long.prompts == ["short"])
        #expect(long.customs == ["oversized_output"])
    }

    @Test func onlyFilesOfTheFolderAreRead() throws {
        let folder = try TemporaryFolder("archive")
        let outside = try TemporaryFolder("outside")
        let ids = (1...6).map { "0000000\($0)-0000-4000-8000-000000000000" }
        try outside.write("\(ids[0]).jsonl", user("secret") + "\n")
        try outside.write("sub/\(ids[1]).jsonl", user("secret") + "\n")
        try folder.write("projects/-a/\(ids[2]).jsonl", user("mine") + "\n")
        try folder.write("projects/-a/no-uuid.jsonl", user("mine") + "\n")
        try folder.write("projects/-a/\(ids[3]).jsonl", "nothing that was said\n")
        let manager = FileManager.default
        let project = folder.path + "/projects/-a"
        try manager.createSymbolicLink(
            atPath: project + "/\(ids[0]).jsonl", withDestinationPath: outside.path + "/\(ids[0]).jsonl")
        try manager.createSymbolicLink(
            atPath: folder.path + "/projects/-b", withDestinationPath: outside.path + "/sub")
        #expect(mkfifo(project + "/\(ids[4]).jsonl", 0o600) == 0)
        try manager.createDirectory(atPath: project + "/\(ids[5]).jsonl", withIntermediateDirectories: false)
        let archive = ClaudeArchive(environment: ["HOME": "/nowhere", "CLAUDE_CONFIG_DIR": folder.path])
        #expect(archive.list(limit: 100).map(\.nativeSessionId) == [ids[2]])
        for id in ids where id != ids[2] { #expect(try !has(archive, id)) }
        for id in ["../\(ids[2])", "-a/\(ids[2])", "", "/etc/passwd", "no-uuid"] {
            #expect(try !has(archive, id))
        }
        #expect(ClaudeArchive(environment: ["HOME": folder.path + "/none"]).list(limit: 1).isEmpty)
    }
}
