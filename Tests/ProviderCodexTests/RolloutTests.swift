import Base
import Foundation
import HubProtocol
import JSON
import ProviderCodex
import Providers
import TestSupport
import Testing

/// Rollouts that the real Codex 0.163.0 has written, and what others might have.
@Suite struct RolloutTests {
    /// By `codex exec`.
    private let first = "01a1fe76-dec1-7b41-9624-007b631c54d6"
    /// By the app-server: a good turn, a failed one, an interrupted one.
    private let second = "01a1fe7d-0375-7491-be1f-1d8929fcf7d6"

    private struct Read {
        var events: [ArchivedEvent] = []
        var skipped: [String: Int] = [:]
        var model: String?

        var prompts: [String] { events.compactMap { if case .prompt(let text, _) = $0 { text } else { nil } } }
        var outcomes: [TurnOutcome] {
            events.compactMap { if case .event(.turnCompleted(let outcome)) = $0 { outcome } else { nil } }
        }
        var messages: [String] {
            events.compactMap { if case .event(.message(let message)) = $0 { message.text } else { nil } }
        }
        var calls: [ToolCall] { events.compactMap { if case .event(.toolCall(let call)) = $0 { call } else { nil } } }
        var results: [ToolResult] {
            events.compactMap { if case .event(.toolResult(let result)) = $0 { result } else { nil } }
        }
        var customs: [String] {
            events.compactMap { if case .event(.custom(let type, _)) = $0 { type } else { nil } }
        }
    }

    private func read(_ bytes: [UInt8], limit: Int = 16 << 20) -> Read {
        var reader = RolloutReader()
        var read = Read()
        var splitter = LineSplitter(limit: limit)
        func take(_ time: Timestamp?, _ event: ArchivedEvent) { read.events.append(event) }
        splitter.feed(bytes) { reader.read($0, take) }
        splitter.finish { reader.read($0, take) }
        reader.finish(take)
        read.skipped = reader.skipped
        read.model = reader.model
        return read
    }

    private func read(_ lines: String...) -> Read { read(Array(lines.joined(separator: "\n").utf8)) }

    private var archive: CodexArchive {
        CodexArchive(environment: ["CODEX_HOME": CodexCapture.folder.path + "/home"])
    }

    private func readArchived(_ id: String) throws -> Read {
        guard let opened = try archive.open(id) else { throw TestFailure("no thread \(id)") }
        return read(try opened.file.read(from: 0, count: opened.file.bytes))
    }

    @Test func aRealThreadIsReadAsItHappened() throws {
        let thread = try readArchived(first)
        #expect(thread.prompts.count == 1 && thread.prompts[0].hasPrefix("Please [[think:let me see]]"))
        #expect(thread.messages == ["First.", "Finished."])
        #expect(thread.outcomes.map(\.status) == [.completed])
        #expect(thread.outcomes.first?.usage?.input == 5000 && thread.outcomes.first?.usage?.cached == 1000)
        #expect(thread.outcomes.first?.durationMs == 1978)
        #expect(thread.calls.map(\.name) == ["commandExecution", "shell", "fileChange", "update_plan"])
        #expect(thread.calls.first?.title == "echo hi; false")
        #expect(thread.results.map(\.status) == [.failed, .failed, .completed, .failed])
        #expect(thread.results.first?.exitCode == 1 && thread.results.first?.content == "hi\n")
        let diffs = thread.events.compactMap { if case .event(.diff(let diff)) = $0 { diff } else { nil } }
        #expect(Set(diffs.map(\.path)) == ["/home/user/ws/a.txt", "/home/user/ws/b.txt"])
        #expect(thread.customs.isEmpty, "\(thread.customs)")
        #expect(thread.model == "gpt-5.5")
    }

    @Test func failedAndInterruptedTurnsAreTold() throws {
        let thread = try readArchived(second)
        #expect(thread.prompts.map { $0.prefix(4) } == ["App ", "Fail", "Long"])
        #expect(thread.outcomes.map(\.status) == [.completed, .failed, .interrupted])
        #expect(thread.messages == ["Hello.", "Done"])
        #expect(thread.results.map(\.status) == [.completed, .cancelled])
        let failures = thread.events.compactMap { if case .event(.error(let failure)) = $0 { failure } else { nil } }
        #expect(failures.count == 1)
        #expect(thread.customs.isEmpty, "\(thread.customs)")
    }

    @Test func theListHasTheRealThreads() throws {
        let sessions = archive.list(limit: 10)
        #expect(Set(sessions.map(\.nativeSessionId)) == [first, second])
        let session = try #require(sessions.first { $0.nativeSessionId == second })
        #expect(session.workspace == "/home/user/ws" && session.version == "0.163.0")
        #expect(session.firstPrompt?.hasPrefix("App turn") == true)
        #expect(session.createdAt.description == "2026-11-21T14:22:48.201Z")
    }

    @Test func threadsOfTheFirstVersionsHaveNoEvents() {
        let thread = read(
            #"{"type":"session_meta","payload":{}}"#,
            #"{"type":"response_item","payload":{"type":"message","role":"user","content":[{"type":"input_text","text":"<environment_context>x"}]}}"#,
            #"{"type":"response_item","payload":{"type":"message","role":"user","content":[{"type":"input_text","text":"one"}]}}"#,
            #"{"type":"response_item","payload":{"type":"function_call","name":"shell","arguments":"{\"command\":[\"ls\",\"a b\"]}","call_id":"c"}}"#,
            #"{"type":"response_item","payload":{"type":"function_call_output","call_id":"c","output":"{\"output\":\"x\",\"metadata\":{\"exit_code\":2}}"}}"#,
            #"{"type":"response_item","payload":{"type":"message","role":"user","content":[{"type":"input_text","text":"two"}]}}"#,
            #"{"type":"event_msg","payload":{"type":"user_message","message":"two"}}"#)
        #expect(thread.prompts == ["one", "two"])
        #expect(thread.calls.map(\.title) == ["ls 'a b'"])
        #expect(thread.results.map(\.exitCode) == [2])
        #expect(thread.outcomes.map(\.status) == [.completed, .completed])
    }

    @Test func oddLinesEndNothing() {
        let deep = String(repeating: "[", count: 100_000)
        let thread = read(
            "", "no json", "[]", #"{"type":7}"#, #"{"type":"event_msg"}"#, #"{"type":"response_item","payload":[]}"#,
            #"{"type":"event_msg","payload":{"type":"item_completed"}}"#,
            #"{"type":"event_msg","payload":{"type":"item_completed","item":{"type":"Future","id":"x"}}}"#,
            #"{"type":"event_msg","payload":{"type":"exec_command_end","call_id":"q","command":7,"exit_code":"x"}}"#,
            #"{"type":"event_msg","payload":{"type":"task_complete","error":7}}"#,
            #"{"type":"event_msg","payload":{"type":"token_count","info":{"total_token_usage":{"input_tokens":-5}}}}"#,
            #"{"type":"response_item","payload":{"type":"function_call","arguments":"\#(deep)"}}"#, deep,
            #"{"type":"of_tomorrow","payload":{}}"#,
            #"{"type":"event_msg","payload":{"type":"user_message","message":"fine"}}"#, #"{"type":"event_m"#)
        #expect(thread.prompts == ["fine"])
        #expect(thread.customs.contains("of_tomorrow") && thread.customs.contains("item_completed:Future"))
        let opened = thread.events.count {
            if case .prompt = $0 { true } else if case .event(.turnStarted) = $0 { true } else { false }
        }
        #expect(opened == thread.outcomes.count)
    }
}
