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

    package let port: UInt16
    package var url: String { "http://127.0.0.1:\(port)" }

    private let listener: Int32
    private let lock = NSCondition()
    private var connections: Set<Int32> = []
    private var recorded: [Request] = []
    private var uses: [String: Int] = [:]
    private var isStopped = false
    private var counter = 0

    package init() {
        let listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
                precondition(bind(listener, address, length) == 0 && listen(listener, 64) == 0)
                precondition(getsockname(listener, address, &length) == 0)
            }
        }
        port = UInt16(bigEndian: address.sin_port)
        self.listener = listener
        signal(SIGPIPE, SIG_IGN)
        let thread = Thread { [self] in acceptLoop() }
        thread.start()
    }

    /// What was asked so far.
    package var requests: [Request] { lock.withLock { recorded } }

    /// What was asked with a script.
    package var scripted: [Request] { requests.filter { $0.script != nil } }

    package func stop() {
        lock.withLock {
            isStopped = true
            shutdown(listener, Int32(SHUT_RDWR))
            close(listener)
            for connection in connections { shutdown(connection, Int32(SHUT_RDWR)) }
        }
    }

    private func acceptLoop() {
        while true {
            let connection = accept(listener, nil, nil)
            if connection < 0 {
                if errno == EINTR || errno == ECONNABORTED { continue }
                return
            }
            let goesOn = lock.withLock {
                if !isStopped { connections.insert(connection) }
                return !isStopped
            }
            guard goesOn else {
                _ = close(connection)
                return
            }
            Thread { [self] in
                serve(connection)
                lock.withLock { _ = connections.remove(connection) }
                close(connection)
            }.start()
        }
    }

    private func serve(_ connection: Int32) {
        var buffer: [UInt8] = []
        while let (head, body) = readRequest(connection, &buffer) {
            let lines = head.split(separator: "\r\n", omittingEmptySubsequences: false).map(String.init)
            let path = lines.first?.split(separator: " ").dropFirst().first.map(String.init) ?? "/"
            var headers: [String: String] = [:]
            for line in lines.dropFirst() {
                let parts = line.split(separator: ":", maxSplits: 1)
                guard parts.count == 2 else { continue }
                headers[parts[0].lowercased()] = parts[1].trimmingCharacters(in: .whitespaces)
            }
            let json = (try? JSON.parse(body)) ?? .null
            let script = FakeScript(json)
            lock.withLock {
                recorded.append(Request(path: path, headers: headers, body: json, script: script?.text))
            }
            guard answer(path, json, script, connection) else { return }
        }
    }

    // MARK: Answering

    /// Returns whether the connection goes on.
    private func answer(_ path: String, _ body: JSON, _ script: FakeScript?, _ connection: Int32) -> Bool {
        guard path.hasPrefix("/v1/messages") else {
            return send(
                connection, status: 404, [:], ["type": "error", "error": ["type": "not_found_error", "message": "no"]])
        }
        if path.hasPrefix("/v1/messages/count_tokens") {
            return send(connection, status: 200, [:], ["input_tokens": 1000])
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
                    connection, status: status, headers,
                    ["type": "error", "error": ["type": JSON(types[status] ?? "api_error"), "message": JSON(message)]])
            case "quota":
                let window = directive.words.first ?? "five_hour"
                let resets = directive.options["resets"] ?? "\(Int(Date().timeIntervalSince1970) + 3600)"
                let short = window == "seven_day" ? "7d" : "5h"
                let prefix = "anthropic-ratelimit-unified"
                return send(
                    connection, status: 429,
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
                var byte: UInt8 = 0
                while read(connection, &byte, 1) > 0 {}
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
            return drops ? false : send(connection, status: 200, [:], .object(message))
        }
        return stream(message, blocks, delay, drops, headers, connection)
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
        _ connection: Int32
    ) -> Bool {
        let more = headers.sorted { $0.key < $1.key }.map { "\($0.key): \($0.value)\r\n" }.joined()
        guard
            write(
                connection,
                Array(
                    "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nrequest-id: req_\(next())\r\nconnection: close\r\n\(more)\r\n"
                        .utf8))
        else { return false }
        func event(_ json: JSON) -> Bool {
            write(connection, Array("event: \(json["type"]?.stringValue ?? "")\ndata: \(json)\n\n".utf8))
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

    // MARK: HTTP

    private func readRequest(_ connection: Int32, _ buffer: inout [UInt8]) -> (head: String, body: [UInt8])? {
        let separator = Array("\r\n\r\n".utf8)
        var chunk = [UInt8](repeating: 0, count: 65_536)
        func more() -> Bool {
            let count = read(connection, &chunk, chunk.count)
            guard count > 0 else { return false }
            buffer.append(contentsOf: chunk[..<count])
            return true
        }
        var headEnd: Int?
        while headEnd == nil {
            headEnd = buffer.firstRange(of: separator)?.lowerBound
            if headEnd == nil, !more() { return nil }
        }
        let head = String(decoding: buffer[..<headEnd!], as: UTF8.self)
        buffer.removeFirst(headEnd! + 4)
        let lengthLine = head.lowercased().components(separatedBy: "\r\n").first { $0.hasPrefix("content-length:") }
        let length = lengthLine.flatMap { Int($0.dropFirst(15).trimmingCharacters(in: .whitespaces)) } ?? 0
        while buffer.count < length { if !more() { return nil } }
        let body = Array(buffer[..<length])
        buffer.removeFirst(length)
        return (head, body)
    }

    private func send(_ connection: Int32, status: Int, _ headers: [String: String], _ body: JSON) -> Bool {
        let bytes = body.serialize()
        var head = "HTTP/1.1 \(status) Fake\r\ncontent-type: application/json\r\ncontent-length: \(bytes.count)\r\n"
        head += "request-id: req_\(next())\r\n"
        for (name, value) in headers.sorted(by: { $0.key < $1.key }) { head += "\(name): \(value)\r\n" }
        return write(connection, Array((head + "\r\n").utf8) + bytes)
    }

    private func write(_ connection: Int32, _ bytes: [UInt8]) -> Bool {
        var sent = 0
        while sent < bytes.count {
            let count = bytes[sent...].withUnsafeBytes {
                Glibc.send(connection, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
            }
            guard count > 0 else { return false }
            sent += count
        }
        return true
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
