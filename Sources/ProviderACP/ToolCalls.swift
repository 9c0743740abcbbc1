import JSON
import Providers

/// The tool calls of the running turn: what `tool_call` and `tool_call_update` said about each so far.
struct ToolCalls: Sendable {
    struct State: Sendable {
        var call: ToolCall
        /// Text blocks as they stand; an update replaces them all.
        var text = ""
        /// What came in pieces (`_meta.terminal_output`).
        var streamed = ""
        /// Blocks that are more than text.
        var blocks: [JSON] = []
        var diffs: [FileDiff] = []
        /// Changes that were made through us and so told already.
        var written: [FileDiff] = []
        /// Files that it is about, as far as it said.
        var paths: Set<String> = []
        /// Terminals whose output is its output.
        var terminals: [String] = []
        var rawOutput: JSON?
        var exitCode: Int?
        var isClosed = false
        /// A person refused it; agents may say nothing more about it then.
        var isRejected = false
    }

    /// Output in pieces beyond this is shown live but not kept.
    static let maximumStreamedBytes = 8 * 1024 * 1024

    private var states: [String: State] = [:]
    private var order: [String] = []
    /// What is kept of terminals' output, until they are released and no open call has them in it.
    var transcripts: [String: TerminalTranscript] = [:]
    /// The call that a terminal's output is shown in.
    var embedding: [String: String] = [:]

    subscript(id: String) -> State? { states[id] }

    var hasOpen: Bool { states.values.contains { !$0.isClosed } }

    func itemId(of id: String, prefix: String) -> String { states[id]?.call.itemId ?? prefix + id }

    /// The tool call within which a subagent says or does this: no part of ACP, but agents tell it in `_meta`.
    static func parentId(_ update: JSON) -> String? {
        guard let meta = update["_meta"] else { return nil }
        return (meta["codeai-hub"]?["parentToolCallId"] ?? meta["claudeCode"]?["parentToolUseId"])?.stringValue
    }

    mutating func reject(_ id: String) { states[id]?.isRejected = true }

    /// Takes an update with a `toolCallId`.
    mutating func update(_ update: JSON, prefix: String, into events: inout [NormalizedEvent]) {
        guard let id = update["toolCallId"]?.stringValue else { return }
        if states[id]?.isClosed == true {
            // The call is over in the log; what is said later is kept as it came.
            events.append(.custom(type: update["sessionUpdate"]?.stringValue ?? "tool_call_update", data: update))
            return
        }
        let status = update["status"]?.stringValue.flatMap { ToolCalls.statuses[$0] }
        let isNew = states[id] == nil
        var state = states.removeValue(forKey: id) ?? newState(id, update, prefix: prefix)
        if isNew { order.append(id) }
        let before = state.call
        ToolCalls.describe(&state.call, update)
        if let status, status == .pending || status == .running { state.call.status = status }
        if isNew || state.call != before { events.append(.toolCall(state.call)) }
        if let status, status == .completed || status == .failed {
            // The result carries it all: no piece of it is shown before.
            var unused: [NormalizedEvent] = []
            takeOutput(&state, update, into: &unused)
            close(&state, status, into: &events)
        } else {
            takeOutput(&state, update, into: &events)
        }
        states[id] = state
    }

    /// The open call that a change to a file belongs to: the one that named the file, or the only one there is.
    func call(changing path: String) -> String? {
        let open = order.filter { states[$0]?.isClosed == false }
        return open.last { states[$0]?.paths.contains(path) == true } ?? (open.count == 1 ? open[0] : nil)
    }

    mutating func wrote(_ diff: FileDiff, by id: String) { states[id]?.written.append(diff) }

    /// Ends the calls that a person refused: the model speaks again, so nothing more comes of them. Some agents (Gemini
    /// CLI) never say so.
    mutating func closeRejected(into events: inout [NormalizedEvent]) {
        guard states.values.contains(where: { $0.isRejected && !$0.isClosed }) else { return }
        for id in order {
            guard var state = states.removeValue(forKey: id) else { continue }
            if state.isRejected, !state.isClosed { close(&state, .cancelled, into: &events) }
            states[id] = state
        }
    }

    private func newState(_ id: String, _ update: JSON, prefix: String) -> State {
        let parent = ToolCalls.parentId(update).map { itemId(of: $0, prefix: prefix) }
        // A call that is told of only when it has ended did run.
        let status: ToolStatus =
            update["status"]?.stringValue == "pending" || update["status"] == nil
            ? .pending : .running
        return State(
            call: ToolCall(
                itemId: prefix + id, nativeId: id, name: "", title: "", status: status, parentItemId: parent))
    }

    private static let statuses: [String: ToolStatus] = [
        "pending": .pending, "in_progress": .running, "completed": .completed, "failed": .failed,
    ]

    private static let kinds: Set<String> = [
        "read", "edit", "delete", "move", "search", "execute", "think", "fetch",
    ]

    /// Takes what an update says about the call itself.
    private static func describe(_ call: inout ToolCall, _ update: JSON) {
        if let kind = update["kind"]?.stringValue { call.toolKind = kinds.contains(kind) ? kind : "other" }
        if let title = update["title"]?.stringValue { call.title = title }
        if let arguments = update["rawInput"], !arguments.isNull { call.arguments = arguments }
        let meta = update["_meta"]
        if let name = (meta?["tool_name"] ?? meta?["toolName"] ?? meta?["claudeCode"]?["toolName"])?.stringValue {
            call.name = name
            if name == "Task" || name == "Agent" { call.toolKind = "agent" }
        }
        // ACP has no tool names: the kind says most, else the title.
        if call.name.isEmpty || call.name == "other" {
            call.name = call.toolKind == "other" ? call.title : call.toolKind
        }
        if call.title.isEmpty { call.title = call.name }
    }

    /// Takes what an update says about the call's outcome so far.
    private mutating func takeOutput(_ state: inout State, _ update: JSON, into events: inout [NormalizedEvent]) {
        for location in update["locations"]?.arrayValue ?? [] {
            if let path = location["path"]?.stringValue { state.paths.insert(path) }
        }
        let itemId = state.call.itemId
        func chunk(_ text: String) { events.append(.chunk(itemId: itemId, kind: .toolOutput, text: text)) }
        if let content = update["content"]?.arrayValue {
            var text = ""
            state.blocks = []
            for item in content {
                switch item["type"]?.stringValue {
                case "content":
                    guard let block = item["content"] else { continue }
                    state.blocks.append(block)
                    if let part = ACPContent.text(block) { text += text.isEmpty ? part : "\n" + part }
                case "diff": ToolCalls.take(diff: item, into: &state)
                case "terminal": embed(item["terminalId"]?.stringValue, in: &state, into: &events)
                default: state.blocks.append(item)
                }
            }
            if text.utf8.count > state.text.utf8.count, text.utf8.starts(with: state.text.utf8) {
                chunk(String(decoding: text.utf8.dropFirst(state.text.utf8.count), as: UTF8.self))
            } else if text != state.text, !text.isEmpty {
                chunk(text)
            }
            state.text = text
        }
        let meta = update["_meta"]
        if let data = (meta?["terminal_output"] ?? meta?["terminal_output_delta"])?["data"]?.stringValue, !data.isEmpty
        {
            chunk(data)
            if state.streamed.utf8.count < ToolCalls.maximumStreamedBytes { state.streamed += data }
        }
        if let code = meta?["terminal_exit"]?["exit_code"]?.intValue { state.exitCode = code }
        if let output = update["rawOutput"], !output.isNull {
            state.rawOutput = output
            let code = output["exitCode"] ?? output["exit_code"] ?? output["returncode"]
            if let code = code?.intValue { state.exitCode = code }
        }
    }

    private static func take(diff item: JSON, into state: inout State) {
        guard let path = item["path"]?.stringValue else { return state.blocks.append(item) }
        state.paths.insert(path)
        let diff = FileDiff(
            itemId: state.call.itemId, path: path, oldText: item["oldText"]?.stringValue,
            newText: item["newText"]?.stringValue)
        if !state.diffs.contains(diff) { state.diffs.append(diff) }
    }

    // MARK: Ends

    private mutating func close(_ state: inout State, _ status: ToolStatus, into events: inout [NormalizedEvent]) {
        state.isClosed = true
        // What was only proposed and then refused or failed has changed no file.
        if status == .completed {
            let told = state.written
            events += state.diffs.filter { diff in
                !told.contains { $0.path == diff.path && $0.newText == diff.newText }
            }.map { .diff($0) }
        }
        let said = output(of: state)
        events.append(
            .toolResult(
                ToolResult(
                    itemId: state.call.itemId, nativeId: state.call.nativeId, status: status,
                    content: ToolCalls.content(state, terminals: said.text), exitCode: state.exitCode ?? said.exitCode,
                    parentItemId: state.call.parentItemId)))
        for id in state.terminals where embedding[id] == state.call.nativeId {
            embedding[id] = nil
            if transcripts[id]?.isReleased == true { transcripts[id] = nil }
        }
        // It is in the log now; only that there was such a call is remembered.
        let call = state.call
        state = State(call: call, isClosed: true)
    }

    private static func content(_ state: State, terminals: String) -> JSON {
        if state.blocks.contains(where: { ACPContent.text($0) == nil }) {
            return .array(state.blocks + (terminals.isEmpty ? [] : [["type": "text", "text": JSON(terminals)]]))
        }
        if !terminals.isEmpty { return JSON(state.text.isEmpty ? terminals : state.text + "\n" + terminals) }
        if !state.text.isEmpty { return JSON(state.text) }
        if !state.streamed.isEmpty { return JSON(state.streamed) }
        switch state.rawOutput {
        case .string(let text)?: return JSON(text)
        case .object(let output)?:
            let texts = ["output", "stdout", "stderr", "result"].compactMap { output[$0]?.stringValue }
            if let text = texts.first(where: { !$0.isEmpty }) { return JSON(text) }
            return !texts.isEmpty || state.exitCode != nil && output.count == 1 ? "" : .object(output)
        case let other?: return other
        case nil: return ""
        }
    }

    /// Ends every call that the agent left open, in the order in which they began, and forgets them all.
    mutating func closeAll(_ turn: TurnStatus, into events: inout [NormalizedEvent]) {
        for id in order {
            guard var state = states.removeValue(forKey: id), !state.isClosed else { continue }
            // An agent that ended its turn well has run what it left open, unless it was told not to.
            let status: ToolStatus =
                state.isRejected || turn == .interrupted ? .cancelled : turn == .failed ? .failed : .completed
            close(&state, status, into: &events)
        }
        states.removeAll(keepingCapacity: true)
        order.removeAll(keepingCapacity: true)
    }
}
