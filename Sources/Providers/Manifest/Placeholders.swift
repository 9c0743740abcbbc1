import Base

/// What manifests write as `${name}`, and what stands for it in the end.
///
/// Besides our own names there are variables of the environment that the provider gets: `${NAME}`, or
/// `${NAME:-otherwise}` as in shells, where the text after `:-` may have placeholders itself.
struct Placeholders: Sendable {
    var values: [String: String]
    var variables: [String: String]

    func expand(_ text: String) -> String {
        var result = ""
        for part in Placeholders.parts(of: text) {
            switch part {
            case .text(let text): result += text
            case .name(let name, let otherwise):
                if let value = values[name] {
                    result += value
                } else if let value = variables[name], !value.isEmpty {
                    result += value
                } else if let otherwise {
                    result += expand(otherwise)
                } else if !Placeholders.isVariable(name) {
                    result += "${\(name)}"
                }
            }
        }
        return result
    }

    /// Why a text can't be expanded; nil when it can.
    static func problem(in text: String, known: Set<String>) -> String? {
        for part in parts(of: text) {
            guard case .name(let name, let otherwise) = part else { continue }
            if let otherwise {
                guard isVariable(name) else { return "only a variable can have a text after :-, not \(name)" }
                if let problem = problem(in: otherwise, known: known) { return problem }
            } else if !known.contains(name), !isVariable(name) {
                let names = known.sorted().map { "${\($0)}" }.joined(separator: ", ")
                return "has the placeholder ${\(name)}; known here are \(names) and variables like ${NAME}"
            }
        }
        return nil
    }

    private enum Part {
        case text(String)
        case name(String, otherwise: String?)
    }

    /// An opened brace that nobody closes is text.
    private static func parts(of text: String) -> [Part] {
        var parts: [Part] = []
        var rest = text[...]
        while let open = rest.firstRange(ofText: "${"), let close = closing(rest[open.upperBound...]) {
            parts.append(.text(String(rest[..<open.lowerBound])))
            let body = rest[open.upperBound..<close]
            if let mark = body.firstRange(ofText: ":-") {
                parts.append(.name(String(body[..<mark.lowerBound]), otherwise: String(body[mark.upperBound...])))
            } else {
                parts.append(.name(String(body), otherwise: nil))
            }
            rest = rest[rest.index(after: close)...]
        }
        parts.append(.text(String(rest)))
        return parts
    }

    private static func closing(_ text: Substring) -> Substring.Index? {
        var depth = 1
        var index = text.startIndex
        while index < text.endIndex {
            if text[index] == "{" { depth += 1 }
            if text[index] == "}" { depth -= 1 }
            if depth == 0 { return index }
            index = text.index(after: index)
        }
        return nil
    }

    private static func isVariable(_ name: String) -> Bool {
        !name.isEmpty
            && name.utf8.allSatisfy { byte in
                (0x41...0x5a).contains(byte) || (0x30...0x39).contains(byte) || byte == UInt8(ascii: "_")
            }
    }
}
