import Foundation
import Glibc
package import JSON

/// A Messages API on loopback that answers by directives in the last user message:
///
/// | directive | |
/// |---|---|
/// | `[[text:hello]]` | text, streamed word by word |
/// | `[[think:..]]` | thinking |
/// | `[[tool:Name {json}]]` | a tool call; what follows it is played when its result arrives |
/// | `[[slow:0.05x40]]` | 40 words of text, 0.05 s before each |
/// | `[[status:429 retry-after=1 times=1]]` | an error; with `times` only so often, then what follows |
/// | `[[quota:five_hour resets=1795228095]]` | 429 with the unified rate-limit headers, rejected |
/// | `[[windows:five_hour=0.9/allowed_warning seven_day=0.2/allowed]]` | the unified rate-limit headers with what follows; the first window decides |
/// | `[[hang]]` | no answer at all, until the peer goes |
/// | `[[drop]]` | the connection is cut in the middle of the stream |
///
/// A request without directives (titles and other things on the side) gets a plain answer. Each connection has a
/// thread; `stop()` ends them all.
package final class FakeMessagesAPI: @unchecked Sendable {
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

    /// What was asked so far.
    package var requests: [Request] { lock.withLock { recorded } }

    /// What was asked with a script.
    package var scripted: [Request] { requests.filter { $0.script != nil } }

    package func stop() { server.stop() }

    private func respond(_ request: LoopbackHTTP.Request, _ peer: LoopbackHTTP.Peer) -> Bool {
        let body = (try? JSON.parse(request.body)) ?? .null
        let script = FakeScript(body)
        lock.withLock {
            recorded.append(Request(path: request.path, headers: request.headers, body: body, script: script?.text))
        }
        return answer(request.path, body, script, peer)
    }

    // MARK: Answering

    /// Returns whether the connection goes on.
    private func answer(_ path: String, _ body: JSON, _ script: FakeScript?, _ peer: LoopbackHTTP.Peer) -> Bool {
        guard path.hasPrefix("/v1/messages") else {
            return send(
                peer, status: 404, [:], ["type": "error", "error": ["type": "not_found_error", "message": "no"]])
        }
        if path.hasPrefix("/v1/messages/count_tokens") {
            return send(peer, status: 200, [:], ["input_tokens": 1000])
        }
        var blocks: [JSON] = []
        var delay = 0.0
        var stopReason = "end_turn"
        var drops = false
        var headers: [String: String] = [:]
        for directive in script?.step ?? [] {
            switch directive.name {
            case "text": blocks.append(["type": "text", "text": JSON(directive.argument)])
            case "think":
                blocks.append(["type": "thinking", "thinking": JSON(directive.argument), "signature": "c2ln"])
            case "slow":
                let parts = directive.argument.split(separator: "x")
                delay = parts.first.flatMap { Double($0) } ?? 0.05
                let words = (0..<(parts.last.flatMap { Int($0) } ?? 10)).map { "w\($0) " }
                blocks.append(["type": "text", "text": JSON(words.joined())])
            case "tool":
                let parts = directive.argument.split(separator: " ", maxSplits: 1)
                blocks.append([
                    "type": "tool_use", "id": JSON("toolu_\(next())"), "name": JSON(String(parts.first ?? "Bash")),
                    "input": (try? JSON.parse(String(parts.count > 1 ? parts[1] : "{}"))) ?? [:],
                ])
                stopReason = "tool_use"
            case "status":
                let status = Int(directive.words.first ?? "500") ?? 500
                let uses = lock.withLock {
                    self.uses[script?.text ?? "", default: 0] += 1
                    return self.uses[script?.text ?? "", default: 0]
                }
                if let times = directive.options["times"].flatMap({ Int($0) }), uses > times { continue }
                let types = [
                    400: "invalid_request_error", 401: "authentication_error", 429: "rate_limit_error",
                    529: "overloaded_error",
                ]
                var headers: [String: String] = [:]
                headers["retry-after"] = directive.options["retry-after"]
                let message = directive.options["message"] ?? "fake \(status)"
                return send(
                    peer, status: status, headers,
                    ["type": "error", "error": ["type": JSON(types[status] ?? "api_error"), "message": JSON(message)]])
            case "quota":
                let window = directive.words.first ?? "five_hour"
                let resets = directive.options["resets"] ?? "\(Int(Date().timeIntervalSince1970) + 3600)"
                let short = window == "seven_day" ? "7d" : "5h"
                let prefix = "anthropic-ratelimit-unified"
                return send(
                    peer, status: 429,
                    [
                        "\(prefix)-status": "rejected", "\(prefix)-reset": resets,
                        "\(prefix)-representative-claim": window, "\(prefix)-\(short)-status": "rejected",
                        "\(prefix)-\(short)-reset": resets, "\(prefix)-\(short)-utilization": "1.0",
                        "\(prefix)-overage-status": "rejected",
                        "\(prefix)-overage-disabled-reason": "org_level_disabled",
                    ],
                    ["type": "error", "error": ["type": "rate_limit_error", "message": "quota used up"]])
            case "windows": headers = FakeMessagesAPI.windowHeaders(directive.words)
            case "hang":
                peer.hang()
                return false
            case "drop": drops = true
            default: blocks.append(["type": "text", "text": JSON("unknown directive \(directive.name)")])
            }
        }
        if blocks.isEmpty { blocks = [["type": "text", "text": script == nil ? "plain answer" : "all steps done"]] }
        let input = 1000 + 100 * (body["messages"]?.arrayValue?.count ?? 0)
        let message: JSONObject = [
            "id": JSON("msg_\(next())"), "type": "message", "role": "assistant", "model": body["model"] ?? "none",
            "content": .array(blocks), "stop_reason": JSON(stopReason), "stop_sequence": nil,
            "usage": [
                "input_tokens": JSON(input), "cache_creation_input_tokens": 11, "cache_read_input_tokens": 22,
                "output_tokens": 10,
            ],
        ]
        guard body["stream"]?.boolValue == true else {
            return drops ? false : send(peer, status: 200, [:], .object(message))
        }
        return stream(message, blocks, delay, drops, headers, peer)
    }

    /// Each word is `window=utilization/status`.
    private static func windowHeaders(_ words: [String]) -> [String: String] {
        let prefix = "anthropic-ratelimit-unified"
        var headers: [String: String] = [:]
        for word in words {
            let parts = word.split(whereSeparator: { "=/".contains($0) }).map(String.init)
            guard parts.count == 3 else { continue }
            let resets = "\(Int(Date().timeIntervalSince1970) + 3600)"
            let short = parts[0] == "seven_day" ? "7d" : "5h"
            if headers.isEmpty {
                headers["\(prefix)-status"] = parts[2]
                headers["\(prefix)-reset"] = resets
                headers["\(prefix)-representative-claim"] = parts[0]
            }
            headers["\(prefix)-\(short)-status"] = parts[2]
            headers["\(prefix)-\(short)-reset"] = resets
            headers["\(prefix)-\(short)-utilization"] = parts[1]
            if parts[2] == "allowed_warning" { headers["\(prefix)-\(short)-surpassed-threshold"] = "0.75" }
        }
        return headers
    }

    private func stream(
        _ message: JSONObject, _ blocks: [JSON], _ delay: Double, _ drops: Bool, _ headers: [String: String],
        _ peer: LoopbackHTTP.Peer
    ) -> Bool {
        let more = headers.sorted { $0.key < $1.key }.map { "\($0.key): \($0.value)\r\n" }.joined()
        guard
            peer.write(
                "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nrequest-id: req_\(next())\r\nconnection: close\r\n\(more)\r\n"
            )
        else { return false }
        func event(_ json: JSON) -> Bool {
            peer.write("event: \(json["type"]?.stringValue ?? "")\ndata: \(json)\n\n")
        }
        var start = message
        start["content"] = []
        start["stop_reason"] = .null
        guard event(["type": "message_start", "message": .object(start)]) else { return false }
        for (index, block) in blocks.enumerated() {
            var deltas: [JSON] = []
            var opening = block.objectValue ?? [:]
            switch block["type"]?.stringValue {
            case "text":
                opening["text"] = ""
                deltas = words(block["text"]?.stringValue ?? "").map { ["type": "text_delta", "text": JSON($0)] }
            case "thinking":
                opening["thinking"] = ""
                opening["signature"] = ""
                deltas = words(block["thinking"]?.stringValue ?? "").map {
                    ["type": "thinking_delta", "thinking": JSON($0)]
                }
                deltas.append(["type": "signature_delta", "signature": "c2ln"])
            default:
                opening["input"] = [:]
                deltas = [["type": "input_json_delta", "partial_json": JSON((block["input"] ?? [:]).description)]]
            }
            guard event(["type": "content_block_start", "index": JSON(index), "content_block": .object(opening)]) else {
                return false
            }
            for delta in deltas {
                if delay > 0 { Thread.sleep(forTimeInterval: delay) }
                guard event(["type": "content_block_delta", "index": JSON(index), "delta": delta]) else { return false }
            }
            if drops { return false }
            guard event(["type": "content_block_stop", "index": JSON(index)]) else { return false }
        }
        let end: JSON = [
            "type": "message_delta", "delta": ["stop_reason": message["stop_reason"] ?? .null, "stop_sequence": nil],
            "usage": ["output_tokens": 10],
        ]
        _ = event(end) && event(["type": "message_stop"])
        return false
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

    private func next() -> String {
        lock.withLock {
            counter += 1
            return "fake_\(port)_\(counter)"
        }
    }

    private func send(
        _ peer: LoopbackHTTP.Peer, status: Int, _ headers: [String: String], _ body: JSON
    ) -> Bool {
        let common = ["content-type": "application/json", "request-id": "req_\(next())"]
        return peer.answer(status, common.merging(headers) { $1 }, body.serialize())
    }
}

/// The directives of a conversation's last scripted user message, and the step that is due.
struct FakeScript {
    struct Directive {
        var name: String
        var argument: String

        var words: [String] { argument.split(separator: " ").map(String.init) }
        var options: [String: String] {
            var options: [String: String] = [:]
            for word in words {
                let parts = word.split(separator: "=", maxSplits: 1)
                if parts.count == 2 { options[String(parts[0])] = String(parts[1]) }
            }
            return options
        }
    }

    var text: String
    var step: [Directive]

    /// Nil when no user message has directives.
    init?(_ body: JSON) {
        var script: String?
        var results = 0
        for message in body["messages"]?.arrayValue ?? [] where message["role"]?.stringValue == "user" {
            let blocks = message["content"]?.arrayValue ?? [["type": "text", "text": message["content"] ?? ""]]
            // One message holds the results of a whole step, and maybe the next words of the user after them.
            if blocks.contains(where: { $0["type"]?.stringValue == "tool_result" }) { results += 1 }
            for block in blocks where block["type"]?.stringValue == "text" {
                let text = block["text"]?.stringValue ?? ""
                if text.hasPrefix("<system-reminder>") { continue }
                if text.contains("[[") {
                    script = text
                    results = 0
                }
            }
        }
        guard let script else { return nil }
        var steps: [[Directive]] = [[]]
        for directive in FakeScript.directives(script) {
            steps[steps.count - 1].append(directive)
            if directive.name == "tool" { steps.append([]) }
        }
        text = script
        step = results < steps.count ? steps[results] : []
    }

    /// `[[name:argument]]`, where the argument may hold brackets of its own as long as they match.
    static func directives(_ text: String) -> [Directive] {
        var directives: [Directive] = []
        // What was said to others is told, not asked for.
        var rest = text.ranges(of: "</conversation>").last.map { text[$0.upperBound...] } ?? text[...]
        while let open = rest.firstRange(of: "[[") {
            var depth = 0
            var isInString = false
            var isEscaped = false
            var index = open.upperBound
            var end: Substring.Index?
            let isJSON = rest[index...].hasPrefix("tool:")
            while index < rest.endIndex {
                let character = rest[index]
                if isEscaped {
                    isEscaped = false
                } else if isInString {
                    if character == "\\" { isEscaped = true } else if character == "\"" { isInString = false }
                } else if isJSON, character == "\"" {
                    isInString = true
                } else if character == "[" {
                    depth += 1
                } else if character == "]" {
                    if depth == 0, rest[index...].hasPrefix("]]") {
                        end = index
                        break
                    }
                    depth -= 1
                }
                index = rest.index(after: index)
            }
            guard let end else { break }
            let parts = rest[open.upperBound..<end].split(
                separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
            directives.append(
                Directive(name: String(parts.first ?? ""), argument: parts.count > 1 ? String(parts[1]) : ""))
            rest = rest[rest.index(end, offsetBy: 2)...]
        }
        return directives
    }
}
