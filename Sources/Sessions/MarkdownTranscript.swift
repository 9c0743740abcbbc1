import Base
package import HubProtocol
import JSON

/// A session as a text for people: what was said, done and changed. Not meant to be read back.
package struct MarkdownTranscript {
    /// Who spoke last: a heading is written when that changes.
    private var speaker: String?

    package init() {}

    /// The beginning of the text.
    package static func head(_ state: SessionState) -> String {
        var text = "# \(line(state.title ?? "Untitled session"))\n\n"
        text += "- Session: `\(state.sessionId)`\n- Provider: \(state.providerIds.joined(separator: ", "))\n"
        text += "- Folder: `\(line(state.workspace))`\n- Begun: \(state.createdAt), last event: \(state.updatedAt)\n"
        return harmless(text)
    }

    /// The text of the next event; empty for those that say nothing to a reader.
    package mutating func render(_ record: EventRecord) -> String { MarkdownTranscript.harmless(text(of: record)) }

    /// It will be read in terminals and editors: nothing in it gives them orders (control characters, but for line ends and
    /// tabs), or turns text around. The log has everything as it was.
    private static func harmless(_ text: String) -> String {
        var scalars = String.UnicodeScalarView()
        for scalar in text.unicodeScalars {
            switch scalar.value {
            case 0x09, 0x0a: scalars.append(scalar)
            case 0..<0x20, 0x7f..<0xa0, 0x2028, 0x2029, 0x200e, 0x200f, 0x061c, 0x202a...0x202e, 0x2066...0x2069:
                scalars.append("\u{fffd}")
            default: scalars.append(scalar)
            }
        }
        return String(scalars)
    }

    private mutating func text(of record: EventRecord) -> String {
        let data = record.data
        func text(_ key: String) -> String { data[key]?.stringValue ?? "" }
        switch record.kind {
        case .message:
            let role = text("role")
            let name = role == "user" ? "You" : role == "system" ? "System" : record.draft.providerId ?? "Assistant"
            return heading(name, record.timestamp) + "\n" + text("content") + "\n"
        case .thinking:
            let lines = text("content").split(separator: "\n", omittingEmptySubsequences: false)
            return "\n" + lines.map { "> \($0)\n" }.joined()
        case .toolCall:
            return "\n**\(MarkdownTranscript.line(text("name")))** \(MarkdownTranscript.code(text("title")))\n"
        case .toolResult:
            let content = data["content"] ?? ""
            let output = content.stringValue ?? content.description
            let status = text("status")
            let note = status == "completed" ? "" : "\n*\(status)*\n"
            return note + (output.isEmpty ? "" : "\n" + MarkdownTranscript.fenced(output))
        case .diff:
            if let unified = data["unified"]?.stringValue { return "\n" + MarkdownTranscript.fenced(unified, "diff") }
            let old = MarkdownTranscript.marked(data["oldText"]?.stringValue, "-")
            let new = MarkdownTranscript.marked(data["newText"]?.stringValue, "+")
            return "\n" + MarkdownTranscript.fenced("--- \(text("path"))\n+++ \(text("path"))\n" + old + new, "diff")
        case .plan:
            let entries = data["entries"]?.arrayValue ?? []
            return "\n"
                + entries.map { entry in
                    let isDone = entry["status"] == "completed"
                    return "- [\(isDone ? "x" : " ")] \(MarkdownTranscript.line(entry["content"]?.stringValue ?? ""))\n"
                }.joined()
        case .permissionRequested: return "\n*Asked for permission:* \(MarkdownTranscript.code(text("title")))\n"
        case .permissionResolved:
            let answer = data["optionKind"]?.stringValue ?? data["optionId"]?.stringValue ?? text("outcome")
            return "\n*Answered:* \(MarkdownTranscript.line(answer))\n"
        case .questionRequested:
            let questions = data["questions"]?.arrayValue ?? []
            return "\n"
                + questions.map { "*Asked:* \(MarkdownTranscript.line($0["text"]?.stringValue ?? ""))\n" }.joined()
        case .questionResolved:
            guard let answers = data["answers"] else { return "\n*\(MarkdownTranscript.line(text("outcome")))*\n" }
            return "\n*Answered:* \(MarkdownTranscript.code(answers.description))\n"
        case .error: return "\n**Error** `\(MarkdownTranscript.line(text("code")))`: \(text("message"))\n"
        case .turnCompleted:
            let status = text("status")
            let ending = status == "failed" ? "failed" : "was \(MarkdownTranscript.line(status))"
            return status == "completed" ? "" : "\n*The turn \(ending).*\n"
        case .turnStarted, .usage, .quota, .status, .custom: return ""
        }
    }

    private mutating func heading(_ name: String, _ time: Timestamp) -> String {
        defer { speaker = name }
        return speaker == name && name != "You" ? "" : "\n## \(MarkdownTranscript.line(name)) · \(time)\n"
    }

    private static func line(_ text: String) -> String {
        String(text.map { $0.isNewline ? " " : $0 })
    }

    private static func marked(_ text: String?, _ mark: String) -> String {
        guard let text, !text.isEmpty else { return "" }
        var lines = text.split(separator: "\n", omittingEmptySubsequences: false)
        if lines.last?.isEmpty == true { lines.removeLast() }
        return lines.map { mark + $0 + "\n" }.joined()
    }

    /// A longer fence than any in the text.
    private static func fenced(_ text: String, _ language: String = "") -> String {
        let fence = String(repeating: "`", count: max(3, longestRun(of: "`", in: text) + 1))
        return "\(fence)\(language)\n\(text)\(text.hasSuffix("\n") ? "" : "\n")\(fence)\n"
    }

    private static func code(_ text: String) -> String {
        guard !text.isEmpty else { return "" }
        let fence = String(repeating: "`", count: longestRun(of: "`", in: text) + 1)
        let space = text.hasPrefix("`") || text.hasSuffix("`") ? " " : ""
        return fence + space + line(text) + space + fence
    }

    private static func longestRun(of mark: Unicode.Scalar, in text: String) -> Int {
        var longest = 0
        var run = 0
        for byte in text.utf8 {
            run = byte == UInt8(ascii: mark) ? run + 1 : 0
            longest = max(longest, run)
        }
        return longest
    }
}
