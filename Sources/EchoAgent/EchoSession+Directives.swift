import Base
import Glibc
import JSON

extension EchoSession {
    /// Does what can be done now.
    /// - Returns: when to be called again, on the monotonic clock; `.max` for never by itself.
    func advance(_ now: Int64) -> Int64 {
        sayLater(now)
        return min(work(now), later.map(\.due).min() ?? .max)
    }

    private func work(_ now: Int64) -> Int64 {
        var wake = Int64.max
        while let turn {
            if turn.isCancelled {
                finish(stopReason: "cancelled")
                break
            }
            if connection.output.isFull { return 0 }
            if let activity = turn.activity {
                let next = proceed(activity, now)
                // Zero: this activity is over.
                guard next == 0 else {
                    wake = min(wake, next)
                    break
                }
                self.turn?.activity = nil
            } else if turn.position < turn.directives.count {
                self.turn?.position += 1
                start(turn.directives[turn.position], now)
            } else {
                finish(stopReason: "end_turn")
            }
        }
        return wake
    }

    private func sayLater(_ now: Int64) {
        for item in later where item.due <= now {
            piece("agent_message_chunk", item.text)
            close()
        }
        later.removeAll { $0.due <= now }
    }

    // MARK: Starting

    private func start(_ directive: Directive, _ now: Int64) {
        switch directive {
        case .say(let text):
            words("You said: " + text)
            if isFirstTurn, turn?.directives.count == 1 { piece("agent_message_chunk", Help.hint) }
        case .text(let text): words(text)
        case .help: words(Help.text)
        case .think(let text): piece("agent_thought_chunk", text)
        case .large(let bytes): large(bytes)
        case .stream(let burst):
            _ = opened("agent_message_chunk")
            turn?.activity = .message(Flow(burst: burst, started: now))
        case .toolOutput(let burst): startToolOutput(burst, now)
        case .tool(let name, let arguments): tool(name, arguments, status: "completed", text: "\(name) ran")
        case .toolFail(let name, let message): tool(name, [:], status: "failed", text: message)
        case .permission(let kinds, let title): permission(kinds, title)
        case .question(let text, let options): question(text, options)
        case .plan(let entries): plan(entries)
        case .diff(let path, let old, let new): diff(path, old, new)
        case .usage(let input, let output, let cost): usage(input, output, cost)
        case .mode(let mode): if !set(mode: mode) { words("Unknown mode: \(mode)") }
        case .error(let kind, let message, let seconds): error(kind, message, seconds)
        case .once(let directive, let source): if isNew(source) { start(directive, now) }
        case .stall(let seconds): turn?.activity = .pause(until: now + nanoseconds(seconds))
        case .background(let seconds, let text): later.append((now + nanoseconds(seconds), text))
        case .subagent(let text): subagent(text)
        case .invalid(let source): words("I don't know [[\(source)]]. Say `help` for what I know.")
        case .crash, .signal, .hang, .garbage, .standardError, .child: misbehave(directive)
        }
    }

    /// A message of its own, in several pieces that end after spaces.
    private func words(_ text: String) {
        close()
        let goal = max(12, text.utf8.count / 64)
        var part = ""
        for character in text {
            part.append(character)
            if character == " ", part.utf8.count >= goal {
                piece("agent_message_chunk", part)
                part = ""
            }
        }
        if !part.isEmpty || text.isEmpty { piece("agent_message_chunk", part) }
    }

    private func large(_ size: Int) {
        var bytes: [UInt8] = []
        Flow(burst: Burst(count: 1, size: max(1, size), rate: 0), started: 0).appendPiece(0, to: &bytes)
        piece("agent_message_chunk", String(decoding: bytes, as: UTF8.self))
    }

    private func content(_ text: String) -> JSON {
        [["type": "content", "content": ["type": "text", "text": JSON(text)]]]
    }

    private func kind(of tool: String) -> JSON {
        switch tool {
        case "Read", "Glob": "read"
        case "Edit", "Write": "edit"
        case "Grep": "search"
        case "WebFetch": "fetch"
        default: "execute"
        }
    }

    private func tool(_ name: String, _ arguments: JSON, status: String, text: String) {
        let call = identifier("call_")
        let isPlanned = mode == "plan"
        let result = isPlanned ? "Not run: the session is in plan mode" : text
        let started: JSONObject = [
            "sessionUpdate": "tool_call", "toolCallId": JSON(call), "title": JSON(name), "kind": kind(of: name),
            "status": "in_progress", "rawInput": arguments, "_meta": ["tool_name": JSON(name)],
        ]
        let ended: JSONObject = ["status": JSON(isPlanned ? "failed" : status), "content": content(result)]
        update(started, inHistory: started.merging(ended))
        send((["sessionUpdate": "tool_call_update", "toolCallId": JSON(call)] as JSONObject).merging(ended))
    }

    private func startToolOutput(_ burst: Burst, _ now: Int64) {
        let call = identifier("call_")
        var started: JSONObject = [
            "sessionUpdate": "tool_call", "toolCallId": JSON(call), "title": "Bash", "kind": "execute",
            "status": "in_progress", "rawInput": ["command": "output"],
        ]
        if connection.takesTerminalOutput {
            started["content"] = [["type": "terminal", "terminalId": JSON(call)]]
            started["_meta"] = ["tool_name": "Bash", "terminal_info": ["terminal_id": JSON(call)]]
        } else {
            started["_meta"] = ["tool_name": "Bash"]
        }
        update(started, inHistory: started.merging(["status": "completed"]))
        turn?.activity = .toolOutput(Flow(burst: burst, started: now), toolCallId: call)
    }

    private func permission(_ kinds: [String], _ title: String) {
        let call = identifier("call_")
        let toolCall: JSONObject = [
            "toolCallId": JSON(call), "title": JSON(title), "kind": "execute", "status": "pending",
            "rawInput": ["command": JSON(title)],
        ]
        update(
            (["sessionUpdate": "tool_call"] as JSONObject).merging(toolCall),
            inHistory: (["sessionUpdate": "tool_call"] as JSONObject).merging(toolCall).merging(["status": "failed"]))
        if mode == "auto" { return finish(call, title, isAllowed: true, "granted by mode auto") }
        if let standing = standingAnswers[title] {
            return finish(call, title, isAllowed: standing.hasPrefix("allow"), "\(standing) (standing)")
        }
        let options = kinds.compactMap { kind -> JSON? in
            guard let option = Directive.optionKinds[kind] else { return nil }
            return ["optionId": JSON(kind), "name": JSON(option.name), "kind": JSON(option.kind)]
        }
        let request = connection.ask(
            "session/request_permission",
            ["sessionId": JSON(id), "toolCall": .object(toolCall), "options": .array(options)])
        turn?.activity = .permission(request: request, toolCallId: call, title: title)
    }

    private func question(_ text: String, _ options: [String]) {
        guard connection.takesElicitation else { return words("The client takes no questions: \(text)") }
        var property: JSONObject = ["type": "string", "title": JSON(text)]
        if !options.isEmpty { property["enum"] = JSON(options) }
        let request = connection.ask(
            "elicitation/create",
            [
                "sessionId": JSON(id), "mode": "form", "message": JSON(text),
                "requestedSchema": [
                    "type": "object", "properties": ["answer": .object(property)], "required": ["answer"],
                ],
            ])
        turn?.activity = .question(request: request)
    }

    private func plan(_ entries: [String]) {
        let entries = entries.map { entry -> JSON in
            let entry = entry.trimmed
            let status = entry.hasPrefix("+") ? "completed" : entry.hasPrefix("*") ? "in_progress" : "pending"
            let text = status == "pending" ? entry : String(entry.dropFirst())
            return ["content": JSON(text), "priority": "medium", "status": JSON(status)]
        }
        update(["sessionUpdate": "plan", "entries": .array(entries)])
    }

    private func diff(_ path: String, _ old: String, _ new: String) {
        var change: JSONObject = ["type": "diff", "path": JSON(path), "newText": JSON(new)]
        if !old.isEmpty { change["oldText"] = JSON(old) }
        update([
            "sessionUpdate": "tool_call", "toolCallId": JSON(identifier("call_")), "title": JSON("Edit \(path)"),
            "kind": "edit", "status": "completed", "rawInput": ["path": JSON(path)],
            "locations": [["path": JSON(path)]], "content": [.object(change)], "_meta": ["tool_name": "Edit"],
        ])
    }

    private func usage(_ input: Int, _ output: Int, _ cost: Double?) {
        inputTokens += input
        outputTokens += output
        var change: JSONObject = [
            "sessionUpdate": "usage_update", "used": JSON(input + output), "size": 200_000,
        ]
        if let cost {
            self.cost += cost
            change["cost"] = ["amount": JSON(self.cost), "currency": "USD"]
        }
        change["_meta"] = ["inputTokens": JSON(inputTokens), "outputTokens": JSON(outputTokens)]
        update(change)
    }

    private func error(_ kind: String, _ message: String, _ seconds: Double?) {
        let data: JSON? =
            switch kind {
            case "rate_limited": ["retryAfter": JSON(seconds ?? 30)]
            case "quota": ["reason": "quota_exhausted", "retryAfter": JSON(seconds ?? 3600)]
            default: seconds.map { ["retryAfter": JSON($0)] }
            }
        fail(code: Directive.errorCodes[kind] ?? -32603, message: message, data: data)
    }

    private func subagent(_ text: String) {
        let call = identifier("call_")
        let started: JSONObject = [
            "sessionUpdate": "tool_call", "toolCallId": JSON(call), "title": "Subagent", "kind": "other",
            "status": "in_progress", "rawInput": ["prompt": JSON(text)], "_meta": ["tool_name": "Agent"],
        ]
        let ended: JSONObject = ["status": "completed", "content": content(text)]
        update(started, inHistory: started.merging(ended))
        piece("agent_message_chunk", text, meta: ["codeai-hub": ["parentToolCallId": JSON(call)]])
        close()
        send((["sessionUpdate": "tool_call_update", "toolCallId": JSON(call)] as JSONObject).merging(ended))
    }

    // MARK: Going on

    /// - Returns: when to go on; 0 when it is over.
    private func proceed(_ activity: Turn.Activity, _ now: Int64) -> Int64 {
        switch activity {
        case .pause(let until): return until <= now ? 0 : until
        case .permission, .question: return .max
        case .message(let flow): return message(flow, now)
        case .toolOutput(let flow, let call): return toolOutput(flow, call, now)
        }
    }

    /// Every piece is the same line but for its text: the rest is made once a call.
    private func message(_ flow: Flow, _ now: Int64) -> Int64 {
        let messageId = opened("agent_message_chunk")
        var head = Array(#"{"jsonrpc":"2.0","method":"session/update","params":{"sessionId":""#.utf8)
        head += id.utf8
        head += #"","update":{"sessionUpdate":"agent_message_chunk","messageId":""#.utf8
        head += messageId.utf8
        head += #"","content":{"type":"text","text":""#.utf8
        let tail = Array("\"}}}}\n".utf8)
        var flow = flow
        var isKept = true
        connection.output.raw { bytes in
            let limit = bytes.count + Output.highWater
            while flow.sent < flow.burst.count, flow.due <= now, bytes.count < limit {
                bytes.append(contentsOf: head)
                let start = bytes.count
                flow.appendPiece(flow.sent, to: &bytes)
                if isKept { isKept = keepPiece(bytes[start...]) }
                bytes.append(contentsOf: tail)
                flow.sent += 1
            }
        }
        turn?.activity = .message(flow)
        return flow.sent == flow.burst.count ? 0 : max(1, flow.due)
    }

    private func keepPiece(_ piece: ArraySlice<UInt8>) -> Bool {
        guard keptBytes < History.maximumText else { return false }
        keep(String(decoding: piece, as: UTF8.self))
        return true
    }

    private func toolOutput(_ flow: Flow, _ call: String, _ now: Int64) -> Int64 {
        var flow = flow
        while flow.sent < flow.burst.count, flow.due <= now, !connection.output.isFull {
            flow.sent += 1
            var update: JSONObject = [
                "sessionUpdate": "tool_call_update", "toolCallId": JSON(call), "status": "in_progress",
            ]
            if connection.takesTerminalOutput {
                let data = pieces(flow, flow.sent - 1..<flow.sent)
                update["_meta"] = ["terminal_output": ["terminal_id": JSON(call), "data": JSON(data)]]
            } else {
                update["content"] = content(pieces(flow, 0..<flow.sent))
            }
            send(update)
        }
        turn?.activity = .toolOutput(flow, toolCallId: call)
        guard flow.sent == flow.burst.count else { return max(1, flow.due) }
        var ended: JSONObject = [
            "sessionUpdate": "tool_call_update", "toolCallId": JSON(call), "status": "completed",
            "rawOutput": ["exitCode": 0],
        ]
        if connection.takesTerminalOutput {
            ended["_meta"] = ["terminal_exit": ["terminal_id": JSON(call), "exit_code": 0, "signal": .null]]
        } else {
            ended["content"] = content(pieces(flow, 0..<flow.sent))
        }
        send(ended)
        return 0
    }

    private func pieces(_ flow: Flow, _ range: Range<Int>) -> String {
        var bytes: [UInt8] = []
        for index in range {
            flow.appendPiece(index, to: &bytes)
            bytes.append(0x0a)
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    // MARK: Answers

    /// The client answered request `request`, or refused it (no result).
    func answered(_ request: Int, _ result: JSON?) {
        switch turn?.activity {
        case .permission(request, let call, let title): permissionAnswered(call, title, result?["outcome"])
        case .question(request):
            turn?.activity = nil
            switch result?["action"]?.stringValue {
            case "accept": words("You answered: " + (result?["content"]?["answer"]?.stringValue ?? "nothing"))
            case "decline": words("You declined to answer")
            default: words("Nobody answered")
            }
        default: break
        }
    }

    private func permissionAnswered(_ call: String, _ title: String, _ outcome: JSON?) {
        turn?.activity = nil
        let option = outcome?["outcome"] == "selected" ? outcome?["optionId"]?.stringValue : nil
        let kind = option.flatMap { Directive.optionKinds[$0]?.kind } ?? "cancelled"
        let isAllowed = kind.hasPrefix("allow")
        if kind.hasSuffix("always") { standingAnswers[title] = kind }
        finish(call, title, isAllowed: isAllowed, kind)
    }

    /// Runs the tool that permission was asked for, or doesn't.
    private func finish(_ call: String, _ title: String, isAllowed: Bool, _ decision: String) {
        send([
            "sessionUpdate": "tool_call_update", "toolCallId": JSON(call),
            "status": JSON(isAllowed ? "completed" : "failed"), "content": content(isAllowed ? "ran" : "not run"),
        ])
        words("Permission for \(title): \(decision)")
    }

    // MARK: Misbehaving

    private func misbehave(_ directive: Directive) {
        let output = connection.output
        switch directive {
        case .standardError(let text): EchoSession.standardError(text)
        case .garbage(let longLine):
            output.raw { bytes in
                bytes.append(contentsOf: "this is no JSON\n{\"jsonrpc\":\"2.0\",\n[1,2,3]\n{}\n\n\"text\"\n".utf8)
                bytes.append(contentsOf: [0x7b, 0x22, 0xff, 0xfe, 0x22, 0x3a, 0x31, 0x7d, 0x0a])
                bytes.append(contentsOf: [UInt8](repeating: 0x78, count: longLine))
                bytes.append(0x0a)
            }
        case .crash(let code):
            EchoSession.standardError("echo: ending with code \(code), as asked")
            output.drain()
            exit(code)
        case .signal(let number):
            output.drain()
            signal(number, SIG_DFL)
            kill(getpid(), number)
        case .hang(let isHard):
            output.drain()
            if isHard { signal(SIGTERM, SIG_IGN) }
            while true { pause() }
        case .child(let seconds, let isDetached):
            let pid = EchoSession.startChild(seconds, isDetached)
            words(pid > 0 ? "Child process \(pid)" : "No child process could be started")
        default: break
        }
    }

    private static func standardError(_ text: String) {
        let bytes = Array((text + "\n").utf8)
        _ = bytes.withUnsafeBytes { write(2, $0.baseAddress, $0.count) }
    }

    private static func startChild(_ seconds: Double, _ isDetached: Bool) -> pid_t {
        // Nobody waits for it: it must not stay behind as a zombie.
        Glibc.signal(SIGCHLD, SIG_IGN)
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        // A session of its own: what process groups don't reach.
        // POSIX_SPAWN_SETSID, which Glibc's module hides behind a feature macro.
        if isDetached { posix_spawnattr_setflags(&attributes, 0x80) }
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        for fd in Int32(0)...2 { posix_spawn_file_actions_addopen(&actions, fd, "/dev/null", O_RDWR, 0) }
        var arguments: [UnsafeMutablePointer<CChar>?] = [strdup("sleep"), strdup(String(seconds)), nil]
        defer { for argument in arguments { free(argument) } }
        var pid: pid_t = 0
        return posix_spawnp(&pid, "sleep", &actions, &attributes, &arguments, environ) == 0 ? pid : -1
    }
}
