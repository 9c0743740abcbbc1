import Base
import JSON

/// So many pieces of so many bytes, at a rate.
struct Burst: Equatable {
    var count: Int
    /// Bytes of each piece.
    var size: Int
    /// Pieces a second; 0 is as fast as the reader takes them.
    var rate: Double
}

/// One thing that a prompt tells the agent to do.
enum Directive: Equatable {
    case say(String)
    case text(String)
    case stream(Burst)
    case think(String)
    case tool(name: String, arguments: JSON)
    case toolFail(name: String, message: String)
    case toolOutput(Burst)
    case permission(kinds: [String], title: String)
    case question(text: String, options: [String])
    case plan([String])
    case diff(path: String, old: String, new: String)
    /// - Parameter cost: nil: the agent says nothing about money.
    case usage(input: Int, output: Int, cost: Double?)
    case mode(String)
    /// - Parameter seconds: until another try makes sense; nil for what is usual for this kind.
    case error(kind: String, message: String, seconds: Double?)
    case crash(Int32)
    case signal(Int32)
    /// - Parameter isHard: SIGTERM is ignored too.
    case hang(isHard: Bool)
    case stall(seconds: Double)
    /// - Parameter longLine: bytes of the long line among the garbage.
    case garbage(longLine: Int)
    case large(Int)
    case standardError(String)
    case background(seconds: Double, text: String)
    case child(seconds: Double, isDetached: Bool)
    case subagent(String)
    /// Acted out the first time that the session meets it, not again.
    indirect case once(Directive, source: String)
    case help
    case invalid(String)
}

extension Directive {
    /// Upper bounds, so that a slip of the pen doesn't fill a disk.
    static let maximumCount = 100_000_000
    static let maximumBytes = 64 * 1024 * 1024

    /// Reads a prompt: directives are `[[name:rest]]`, what stands between them is said back.
    static func parse(_ prompt: String) -> [Directive] {
        var directives: [Directive] = []
        var rest = Substring(prompt)
        func plain(_ text: Substring) {
            let text = text.trimmed
            guard !text.isEmpty else { return }
            directives.append(text.lowercased() == "help" ? .help : .say(text))
        }
        while let open = rest.firstRange(ofText: "[[") {
            guard let close = rest[open.upperBound...].firstRange(ofText: "]]") else { break }
            plain(rest[..<open.lowerBound])
            directives.append(Directive(String(rest[open.upperBound..<close.lowerBound])))
            rest = rest[close.upperBound...]
        }
        plain(rest)
        return directives
    }

    /// Reads what stands between the brackets.
    init(_ source: String) {
        let (name, rest) = source.split(at: ":")
        let trimmed = Substring(rest).trimmed
        let (head, tail) = trimmed.split(at: " ")
        self =
            Directive.known(name.lowercased(), rest: rest, trimmed: trimmed, head: head, tail: tail) ?? .invalid(source)
    }

    private static func known(
        _ name: String, rest: String, trimmed: String, head: String, tail: String
    ) -> Directive? {
        switch name {
        case "text": return .text(rest)
        case "think": return .think(rest)
        case "stream": return burst(trimmed).map { .stream($0) }
        case "tool-output": return burst(trimmed).map { .toolOutput($0) }
        case "tool":
            guard !head.isEmpty else { return nil }
            guard !tail.isEmpty else { return .tool(name: head, arguments: [:]) }
            return (try? JSON.parse(tail)).map { .tool(name: head, arguments: $0) }
        case "tool-fail": return head.isEmpty ? nil : .toolFail(name: head, message: tail.isEmpty ? "failed" : tail)
        case "permission":
            let kinds = head.split(separator: "," as Character).map { String($0) }
            guard !kinds.isEmpty, kinds.allSatisfy({ optionKinds[$0] != nil }), Set(kinds).count == kinds.count else {
                return nil
            }
            return .permission(kinds: kinds, title: tail.isEmpty ? "touch file" : tail)
        case "question":
            let parts = rest.fields
            return parts[0].isEmpty ? nil : .question(text: parts[0], options: Array(parts.dropFirst()))
        case "plan": return trimmed.isEmpty ? nil : .plan(rest.fields)
        case "diff":
            let parts = rest.fields
            return parts.count == 3 && !parts[0].isEmpty ? .diff(path: parts[0], old: parts[1], new: parts[2]) : nil
        case "usage":
            let parts = trimmed.split(separator: "," as Character).map { $0.trimmed }
            guard (2...3).contains(parts.count), let input = bounded(parts[0]), let output = bounded(parts[1])
            else { return nil }
            guard parts.count == 3 else { return .usage(input: input, output: output, cost: nil) }
            guard let cost = Double(parts[2]), cost.isFinite, cost >= 0 else { return nil }
            return .usage(input: input, output: output, cost: cost)
        case "mode": return trimmed.isEmpty ? nil : .mode(trimmed)
        case "error":
            let (kind, time) = head.split(at: "@")
            let wait = seconds(time)
            guard errorCodes[kind] != nil, time.isEmpty || wait != nil else { return nil }
            return .error(kind: kind, message: tail.isEmpty ? "\(kind) (asked for)" : tail, seconds: wait)
        case "once":
            let inner = Directive(rest)
            if case .invalid = inner { return nil }
            return .once(inner, source: rest)
        case "crash": return trimmed.isEmpty ? .crash(1) : Int32(trimmed).map { .crash($0 & 0xff) }
        case "signal": return Int32(trimmed).flatMap { (1...64).contains($0) ? .signal($0) : nil }
        case "hang": return .hang(isHard: trimmed == "hard")
        case "stall": return seconds(trimmed).map { .stall(seconds: $0) }
        case "garbage":
            return trimmed.isEmpty ? .garbage(longLine: 1 << 20) : bounded(trimmed).map { .garbage(longLine: $0) }
        case "large": return bounded(trimmed).map { .large($0) }
        case "stderr": return .standardError(rest)
        case "background": return seconds(head).map { .background(seconds: $0, text: tail.isEmpty ? "done" : tail) }
        case "child": return seconds(head).map { .child(seconds: $0, isDetached: tail == "detached") }
        case "subagent": return .subagent(rest)
        case "help": return .help
        default: return nil
        }
    }

    /// The kinds of a permission's options as a prompt writes them: ACP's kind and what people read.
    static let optionKinds: [String: (kind: String, name: String)] = [
        "once": ("allow_once", "Allow once"), "always": ("allow_always", "Always allow"),
        "reject": ("reject_once", "Reject"), "reject-always": ("reject_always", "Always reject"),
    ]

    /// JSON-RPC codes as other ACP agents use them.
    static let errorCodes: [String: Int] = [
        "rate_limited": 429, "quota": 429, "auth": -32000, "overloaded": 529, "internal": -32603,
    ]

    private static func bounded(_ text: String) -> Int? {
        Int(text).flatMap { (0...maximumBytes).contains($0) ? $0 : nil }
    }

    private static func seconds(_ text: String) -> Double? {
        Double(text).flatMap { (0...86_400).contains($0) ? $0 : nil }
    }

    private static func burst(_ text: String) -> Burst? {
        let (amount, rateText) = text.split(at: "@")
        let (countText, sizeText) = amount.split(at: "x")
        guard let count = Int(countText), (0...maximumCount).contains(count), let size = Int(sizeText),
            (1...maximumBytes).contains(size), let rate = rateText.isEmpty ? 0 : Double(rateText), rate.isFinite,
            rate >= 0
        else { return nil }
        return Burst(count: count, size: size, rate: rate)
    }
}

extension StringProtocol {
    /// Without white space at either end.
    var trimmed: String {
        let isSpace: (Character) -> Bool = { $0.isWhitespace }
        guard let first = firstIndex(where: { !isSpace($0) }), let last = lastIndex(where: { !isSpace($0) }) else {
            return ""
        }
        return String(self[first...last])
    }

    /// What stands before and after the first `separator`; all of it before when there is none.
    func split(at separator: Character) -> (String, String) {
        guard let index = firstIndex(of: separator) else { return (String(self), "") }
        return (String(self[..<index]), String(self[self.index(after: index)...]))
    }

    /// The parts between vertical bars, empty ones included.
    var fields: [String] {
        split(separator: "|" as Character, omittingEmptySubsequences: false).map { String($0) }
    }
}
