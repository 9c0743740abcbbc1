import Foundation
package import JSON

/// OpenAI's Responses API on loopback, as Codex speaks it, answering by directives in the last user message. The
/// directives are those of `FakeMessagesAPI` where both can do the same:
///
/// | directive | |
/// |---|---|
/// | `[[text:hello]]` | text, streamed word by word |
/// | `[[think:..]]` | a reasoning summary |
/// | `[[rawthink:..]]` | reasoning in its own words, with a summary |
/// | `[[tool:name {json}]]` | a function call; what follows it is played when its result arrives |
/// | `[[command:touch x]]` | `exec_command` with it; goes on like `tool` |
/// | `[[patch:*** Begin Patch\n..]]` | `apply_patch` with it, `\n` for line ends; goes on like `tool` |
/// | `[[slow:0.05x40]]` | 40 words of text, 0.05 s before each |
/// | `[[status:429 retry-after=1 times=1]]` | an HTTP error; with `times` only so often, then what follows |
/// | `[[failed:code words]]` | `response.failed` with this code, for example `context_length_exceeded` |
/// | `[[quota:94 resets=N window=300]]` | the rate-limit headers, then what follows; `primary,secondary` percents |
/// | `[[limit:words]]` | 429 as a used up quota is told, with the headers of `quota` before it |
/// | `[[hang]]` | no answer at all, until the peer goes |
/// | `[[drop]]` | the connection is cut in the middle of the stream |
/// | `[[garbage]]` | an event that is no JSON, in the middle of the stream |
package final class FakeResponsesAPI: @unchecked Sendable {
    package struct Request: Sendable {
        package var path: String
        package var headers: [String: String]
        package var body: JSON
        /// The text that the directives came from; nil for a request on the side.
        package var script: String?
        package var model: String? { body["model"]?.stringValue }
    }

    package var port: UInt16 { server.port }
    package var url: String { "http://127.0.0.1:\(port)" }

    private let lock = NSLock()
    private var recorded: [Request] = []
    private var uses: [String: Int] = [:]
    private var counter = 0
    private var server: LoopbackHTTP!

    package init() {
        signal(SIGPIPE, SIG_IGN)
        server = LoopbackHTTP { [unowned self] request, peer in respond(request, peer) }
    }

    package func stop() { server.stop() }

    /// What was asked so far.
    package var requests: [Request] { lock.withLock { recorded } }

    /// What was asked with a script.
    package var scripted: [Request] { requests.filter { $0.script != nil } }

    private func respond(_ request: LoopbackHTTP.Request, _ peer: LoopbackHTTP.Peer) -> Bool {
        let body = (try? JSON.parse(request.body)) ?? .null
        guard request.method == "POST", request.path.hasSuffix("/responses") else {
            return peer.answer(404, ["content-type": "application/json"], Array(#"{"error":{"message":"no"}}"#.utf8))
        }
        let script = ResponsesScript(body)
        lock.withLock {
            recorded.append(Request(path: request.path, headers: request.headers, body: body, script: script?.text))
        }
        return play(script, body, peer)
    }

    // MARK: Answering

    private func play(_ script: ResponsesScript?, _ body: JSON, _ peer: LoopbackHTTP.Peer) -> Bool {
        var headers: [String: String] = [:]
        var parts: [FakeScript.Directive] = []
        for directive in script?.step ?? [] {
            switch directive.name {
            case "status":
                let times = directive.options["times"].flatMap { Int($0) }
                if let times, use(script) > times { continue }
                let status = Int(directive.words.first ?? "500") ?? 500
                headers["retry-after"] = directive.options["retry-after"]
                let types = [400: "invalid_request_error", 401: "invalid_api_key", 429: "rate_limit_exceeded"]
                return fail(peer, status, headers, type: types[status] ?? "server_error", "fake \(status)")
            case "quota":
                headers.merge(quota(directive)) { $1 }
            case "limit":
                let words = directive.argument.isEmpty ? "The usage limit has been reached" : directive.argument
                return fail(peer, 429, headers, type: "usage_limit_reached", words)
            case "hang":
                peer.hang()
                return false
            default: parts.append(directive)
            }
        }
        if parts.isEmpty {
            parts = [FakeScript.Directive(name: "text", argument: script == nil ? "plain" : "all done")]
        }
        var head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n"
        for (name, value) in headers { head += "\(name): \(value)\r\n" }
        guard peer.write(head + "\r\n") else { return false }
        let id = next("resp")
        guard event(peer, ["type": "response.created", "response": ["id": JSON(id)]]) else { return false }
        for (index, part) in parts.enumerated() {
            guard play(part, index, peer) else { return false }
        }
        let input = 1000 + 100 * (body["input"]?.arrayValue?.count ?? 0)
        let usage: JSON = [
            "input_tokens": JSON(input), "input_tokens_details": ["cached_tokens": 200], "output_tokens": 30,
            "output_tokens_details": ["reasoning_tokens": 5], "total_tokens": JSON(input + 30),
        ]
        _ = event(peer, ["type": "response.completed", "response": ["id": JSON(id), "usage": usage]])
        return false
    }

    /// Returns whether the stream goes on.
    private func play(_ part: FakeScript.Directive, _ index: Int, _ peer: LoopbackHTTP.Peer) -> Bool {
        let at = JSON(index)
        func done(_ item: JSON) -> Bool {
            event(peer, ["type": "response.output_item.done", "output_index": at, "item": item])
        }
        func added(_ item: JSON) -> Bool {
            event(peer, ["type": "response.output_item.added", "output_index": at, "item": item])
        }
        switch part.name {
        case "text", "slow", "drop", "garbage":
            var text = part.argument
            var delay = 0.0
            if part.name == "slow" {
                let numbers = part.argument.split(separator: "x")
                delay = numbers.first.flatMap { Double($0) } ?? 0.05
                text = (0..<(numbers.last.flatMap { Int($0) } ?? 10)).map { "w\($0) " }.joined()
            }
            if part.name == "drop" || part.name == "garbage" { text = "cut off here" }
            let id = next("msg")
            let item: JSONObject = ["type": "message", "id": JSON(id), "role": "assistant", "content": []]
            guard added(.object(item)) else { return false }
            for word in words(text) {
                // Who went away is not written to any more.
                if delay > 0, !peer.waits(delay) { return false }
                guard
                    event(
                        peer,
                        [
                            "type": "response.output_text.delta", "item_id": JSON(id), "output_index": at,
                            "content_index": 0, "delta": JSON(word),
                        ])
                else { return false }
            }
            if part.name == "garbage" {
                peer.write("event: response.output_text.delta\ndata: {\"type\": garbage\n\n")
                peer.write("\u{1}\u{2} nothing that is known\n\n")
            }
            if part.name == "drop" { return false }
            var whole = item
            whole["content"] = [["type": "output_text", "text": JSON(text)]]
            return done(.object(whole))
        case "think", "rawthink":
            return think(part.argument, isRaw: part.name == "rawthink", at, peer, added, done)
        case "tool":
            let parts = part.argument.split(separator: " ", maxSplits: 1)
            return done(call(String(parts.first ?? ""), String(parts.count > 1 ? parts[1] : "{}")))
        case "command":
            return done(call("exec_command", JSON.object(["cmd": JSON(part.argument)]).description))
        case "patch":
            return done([
                "type": "custom_tool_call", "id": JSON(next("ctc")), "call_id": JSON(next("call")),
                "name": "apply_patch", "input": JSON(part.argument.replacingOccurrences(of: "\\n", with: "\n")),
            ])
        case "failed":
            let code = part.words.first ?? "server_error"
            let message = part.words.dropFirst().joined(separator: " ")
            let error: JSON = ["code": JSON(code), "message": JSON(message.isEmpty ? "fake \(code)" : message)]
            _ = event(
                peer, ["type": "response.failed", "response": ["id": JSON(next("resp")), "error": error]])
            return false
        default: return play(FakeScript.Directive(name: "text", argument: "unknown \(part.name)"), index, peer)
        }
    }

    private func think(
        _ text: String, isRaw: Bool, _ at: JSON, _ peer: LoopbackHTTP.Peer, _ added: (JSON) -> Bool,
        _ done: (JSON) -> Bool
    ) -> Bool {
        let id = JSON(next("rs"))
        let summary = isRaw ? "in short" : text
        guard added(["type": "reasoning", "id": id, "summary": [], "content": []]),
            event(
                peer,
                [
                    "type": "response.reasoning_summary_part.added", "item_id": id, "output_index": at,
                    "summary_index": 0,
                ])
        else { return false }
        for word in words(summary) {
            _ = event(
                peer,
                [
                    "type": "response.reasoning_summary_text.delta", "item_id": id, "output_index": at,
                    "summary_index": 0, "delta": JSON(word),
                ])
        }
        if isRaw {
            for word in words(text) {
                _ = event(
                    peer,
                    [
                        "type": "response.reasoning_text.delta", "item_id": id, "output_index": at,
                        "content_index": 0, "delta": JSON(word),
                    ])
            }
        }
        let content: [JSON] = isRaw ? [["type": "reasoning_text", "text": JSON(text)]] : []
        return done([
            "type": "reasoning", "id": id, "summary": [["type": "summary_text", "text": JSON(summary)]],
            "content": .array(content),
        ])
    }

    private func call(_ name: String, _ arguments: String) -> JSON {
        [
            "type": "function_call", "id": JSON(next("fc")), "call_id": JSON(next("call")), "name": JSON(name),
            "arguments": JSON(arguments),
        ]
    }

    private func quota(_ directive: FakeScript.Directive) -> [String: String] {
        let resets = directive.options["resets"] ?? "\(Int(Date().timeIntervalSince1970) + 3600)"
        let percents = (directive.words.first ?? "50").split(separator: ",").map(String.init)
        var headers = [
            "x-codex-primary-used-percent": percents[0],
            "x-codex-primary-window-minutes": directive.options["window"] ?? "300",
            "x-codex-primary-reset-at": resets,
        ]
        if percents.count > 1 {
            headers["x-codex-secondary-used-percent"] = percents[1]
            headers["x-codex-secondary-window-minutes"] = "10080"
            headers["x-codex-secondary-reset-at"] = resets
        }
        return headers
    }

    private func fail(
        _ peer: LoopbackHTTP.Peer, _ status: Int, _ headers: [String: String], type: String, _ message: String
    ) -> Bool {
        let error: JSON = ["error": ["type": JSON(type), "code": JSON(type), "message": JSON(message)]]
        return peer.answer(
            status, headers.merging(["content-type": "application/json"]) { $1 }, error.serialize())
    }

    private func event(_ peer: LoopbackHTTP.Peer, _ json: JSON) -> Bool {
        peer.write("event: \(json["type"]?.stringValue ?? "")\ndata: \(json)\n\n")
    }

    private func use(_ script: ResponsesScript?) -> Int {
        lock.withLock {
            uses[script?.text ?? "", default: 0] += 1
            return uses[script?.text ?? "", default: 0]
        }
    }

    private func next(_ prefix: String) -> String {
        lock.withLock {
            counter += 1
            return "\(prefix)_\(port)_\(counter)"
        }
    }

    private func words(_ text: String) -> [String] {
        var words: [String] = []
        var word = ""
        for character in text {
            word.append(character)
            if character.isWhitespace {
                words.append(word)
                word = ""
            }
        }
        return word.isEmpty ? words : words + [word]
    }
}

/// The directives of a conversation's last scripted user message, and the step that is due.
private struct ResponsesScript {
    var text: String
    var step: [FakeScript.Directive]

    /// Nil when no user message has directives.
    init?(_ body: JSON) {
        var script: String?
        var results = 0
        for item in body["input"]?.arrayValue ?? [] {
            let type = item["type"]?.stringValue
            if type?.hasSuffix("_call_output") == true { results += 1 }
            guard item["role"]?.stringValue == "user" else { continue }
            for part in item["content"]?.arrayValue ?? [] {
                guard let text = part["text"]?.stringValue, text.contains("[[") else { continue }
                script = text
                results = 0
            }
        }
        guard let script else { return nil }
        var steps: [[FakeScript.Directive]] = [[]]
        for directive in FakeScript.directives(script) {
            steps[steps.count - 1].append(directive)
            if ["tool", "command", "patch"].contains(directive.name) { steps.append([]) }
        }
        text = script
        step = results < steps.count ? steps[results] : []
    }
}
