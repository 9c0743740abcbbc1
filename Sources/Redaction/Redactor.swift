import Base
package import JSON

/// Takes secrets out of text that others may read: log lines, what a crashed program left on stderr, what an
/// installation prints, diagnostics.
///
/// It knows values (the token, what the configuration puts into providers' environments) and shapes (keys of the large
/// services, `Authorization` fields, assignments to names such as `API_KEY`, what stands in a URL before `@` and after
/// `?`). Values are found wherever they stand; shapes are a second net for secrets that nobody told it of, and miss those
/// that look like nothing in particular. May be used from any thread.
package final class Redactor: Sendable {
    /// What stands in the place of a secret.
    package static let mark = "[secret]"
    private static let markBytes = Array(mark.utf8)

    private let values = Lock(KnownValues())

    package init() {}

    // MARK: What is known

    /// A value that is secret from now on. One of fewer than six bytes is too short to be told from ordinary text.
    package func add(_ value: String) {
        values.withLock { values in
            values.insert(Array(value.utf8))
            // Of a secret of several lines (a private key), each line is one.
            for line in value.utf8.split(separator: 0x0a) where line.count >= 16 { values.insert(Array(line)) }
        }
    }

    /// The values of an environment: those with the name of a secret, and, where the whole was written for a program
    /// on purpose, all that are no paths and long enough to be told from ordinary text.
    /// - Parameter isPrivate: whether it was.
    package func add(environment: [String: String], isPrivate: Bool) {
        for (name, value) in environment {
            let isPath = value.hasPrefix("/")
            if SecretName.matches(Array(name.utf8)[...]) || (isPrivate && !isPath && value.utf8.count >= 8) {
                add(value)
            }
        }
    }

    // MARK: Cleaning

    package func clean(_ text: String) -> String {
        guard let cleaned = redacted(Array(text.utf8)) else { return text }
        return String(decoding: cleaned, as: UTF8.self)
    }

    package func clean(_ bytes: [UInt8]) -> [UInt8] { redacted(bytes) ?? bytes }

    /// Every string in a value; all of one whose key is the name of a secret.
    package func clean(_ json: JSON) -> JSON {
        switch json {
        case .string(let text): .string(clean(text))
        case .array(let elements): .array(elements.map { clean($0) })
        case .object(let object): .object(clean(object))
        default: json
        }
    }

    package func clean(_ object: JSONObject) -> JSONObject {
        var cleaned = JSONObject()
        for (key, value) in object {
            if case .string(_) = value, SecretName.matches(Array(key.utf8)[...]) {
                cleaned[key] = JSON(Redactor.mark)
            } else {
                cleaned[clean(key)] = clean(value)
            }
        }
        return cleaned
    }

    /// An error as clients and logs get it: with the end of what a program left on stderr, perhaps, whose beginning may
    /// lie in the middle of a secret. A text that has the length at which such ends are cut off begins with its next line.
    package func cleanError(_ error: JSONObject) -> JSONObject {
        var error = error
        if var details = error["details"]?.objectValue {
            for key in ["stderr", "output"] {
                details[key] = details[key]?.stringValue.map { JSON(Redactor.withoutCutLine($0)) } ?? details[key]
            }
            error["details"] = .object(details)
        }
        return clean(error)
    }

    /// Ends of programs' output are cut off here or later.
    private static let shortestCut = 2044
    /// No secret is longer, where the text is one endless line.
    private static let longestSecret = 512

    private static func withoutCutLine(_ text: String) -> String {
        guard text.utf8.count >= shortestCut else { return text }
        let half = text.utf8.prefix(text.utf8.count / 2)
        if let newline = half.firstIndex(of: 0x0a) { return String(text[text.utf8.index(after: newline)...]) }
        return String(decoding: text.utf8.dropFirst(longestSecret).drop { $0 & 0xc0 == 0x80 }, as: UTF8.self)
    }

    /// Nil when there is nothing to take out.
    private func redacted(_ bytes: [UInt8]) -> [UInt8]? {
        // Values first: a shape that ends in the middle of one would leave the rest of it.
        let known = values.withLock { $0.spans(in: bytes) }
        let text = known.isEmpty ? bytes : Redactor.replace(known, in: bytes)
        let shaped = SecretShapes.spans(in: text)
        if known.isEmpty, shaped.isEmpty { return nil }
        return shaped.isEmpty ? text : Redactor.replace(shaped, in: text)
    }

    /// - Parameter spans: in their order, none within another.
    private static func replace(_ spans: [Range<Int>], in bytes: [UInt8]) -> [UInt8] {
        var result: [UInt8] = []
        result.reserveCapacity(bytes.count)
        var start = 0
        for span in spans {
            result += bytes[start..<span.lowerBound]
            result += markBytes
            start = span.upperBound
        }
        return result + bytes[start...]
    }
}

/// Secret values, found by their first two bytes.
private struct KnownValues {
    private static let leastBytes = 6
    /// A configuration that is read again and again must not make this grow without end.
    private static let most = 10_000

    private var all: Set<[UInt8]> = []
    /// The longest first: one may begin with another.
    private var byStart: [UInt16: [[UInt8]]] = [:]

    mutating func insert(_ value: [UInt8]) {
        guard value.count >= KnownValues.leastBytes, all.count < KnownValues.most, all.insert(value).inserted else {
            return
        }
        byStart[KnownValues.start(value[0], value[1]), default: []].append(value)
        byStart[KnownValues.start(value[0], value[1])]?.sort { $0.count > $1.count }
    }

    private static func start(_ first: UInt8, _ second: UInt8) -> UInt16 { UInt16(first) << 8 | UInt16(second) }

    func spans(in text: [UInt8]) -> [Range<Int>] {
        guard !all.isEmpty, text.count >= KnownValues.leastBytes else { return [] }
        var spans: [Range<Int>] = []
        var index = 0
        while index + 1 < text.count {
            let candidates = byStart[KnownValues.start(text[index], text[index + 1])] ?? []
            let rest = text[index...]
            if let found = candidates.first(where: { rest.starts(with: $0) }) {
                spans.append(index..<index + found.count)
                index += found.count
            } else {
                index += 1
            }
        }
        return spans
    }
}
