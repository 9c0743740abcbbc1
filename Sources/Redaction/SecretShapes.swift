/// Finds what looks like a secret, in one pass.
enum SecretShapes {
    /// Where secrets stand, in their order, none within another.
    static func spans(in text: [UInt8]) -> [Range<Int>] {
        var scan = ShapeScan(text: text)
        return scan.run()
    }
}

/// Whether a name says that its value is a secret.
enum SecretName {
    private static let parts = [
        "secret", "passw", "passphrase", "credential", "apikey", "api_key", "api-key", "private_key", "privatekey",
        "access_key", "accesskey",
    ].map { Array($0.utf8) }
    private static let ends = ["token", "_key", "-key", "_pat", "_pwd", "_auth", "cookie", "authorization"]
        .map { Array($0.utf8) }
    /// The daemon's own cookie, `codeai-hub-PORT`.
    private static let cookie = Array("codeai-hub-".utf8)

    static func matches(_ name: ArraySlice<UInt8>) -> Bool {
        guard (2...128).contains(name.count) else { return false }
        let name = name.map(lowercase)
        if ends.contains(where: { name.suffix($0.count).elementsEqual($0) }) { return true }
        if name.starts(with: cookie), name.count > cookie.count, name[cookie.count...].allSatisfy(isDigit) {
            return true
        }
        return parts.contains { part in
            name.indices.contains { name[$0] == part[0] && name[$0...].starts(with: part) }
        }
    }
}

private struct ShapeScan {
    let text: [UInt8]
    private var spans: [Range<Int>] = []
    private var index = 0
    /// The end of the URL that the scan is in.
    private var urlEnd = 0
    /// Names are looked at once, from their beginning.
    private var nameEnd = 0

    init(text: [UInt8]) { self.text = text }

    mutating func run() -> [Range<Int>] {
        while index < text.count {
            if let span = next(), !span.isEmpty {
                spans.append(span)
                index = span.upperBound
            } else {
                index += 1
            }
        }
        return spans
    }

    /// The secret that begins here, or whose introduction does.
    private mutating func next() -> Range<Int>? {
        let byte = text[index]
        if byte == UInt8(ascii: ":"), matches("://") { return enterURL() }
        if byte == UInt8(ascii: "?"), index < urlEnd { return index + 1..<urlEnd }
        guard index == 0 || !isWord(text[index - 1]) else { return nil }
        if byte == UInt8(ascii: "-") { return privateKey() }
        guard isWord(byte) else { return nil }
        return key() ?? webToken() ?? scheme() ?? assignment()
    }

    // MARK: Keys that say what they are

    private struct Prefix {
        let bytes: [UInt8]
        let least: Int
        /// Words in prose have none.
        let needsDigit: Bool

        init(_ text: String, _ least: Int, needsDigit: Bool = false) {
            bytes = Array(text.utf8)
            self.least = least
            self.needsDigit = needsDigit
        }
    }

    private static let prefixes = [
        Prefix("sk-ant-", 8), Prefix("sk-", 16, needsDigit: true), Prefix("sk_live_", 8), Prefix("sk_test_", 8),
        Prefix("rk_live_", 8), Prefix("ghp_", 16), Prefix("gho_", 16), Prefix("ghu_", 16), Prefix("ghs_", 16),
        Prefix("ghr_", 16), Prefix("github_pat_", 16), Prefix("glpat-", 16), Prefix("xoxa-", 8), Prefix("xoxb-", 8),
        Prefix("xoxe-", 8), Prefix("xoxo-", 8), Prefix("xoxp-", 8), Prefix("xoxr-", 8), Prefix("xoxs-", 8),
        Prefix("xapp-", 8), Prefix("AKIA", 16), Prefix("ASIA", 16), Prefix("AIza", 30), Prefix("ya29.", 16),
        Prefix("hf_", 20, needsDigit: true), Prefix("npm_", 30), Prefix("pypi-", 30, needsDigit: true),
        Prefix("gsk_", 20), Prefix("xai-", 20, needsDigit: true), Prefix("SG.", 20), Prefix("dop_v1_", 20),
        Prefix("shpat_", 20), Prefix("nvapi-", 20), Prefix("pplx-", 20, needsDigit: true),
        Prefix("AGE-SECRET-KEY-", 20),
    ]
    private static let starts: [Bool] = {
        var starts = [Bool](repeating: false, count: 256)
        for prefix in prefixes { starts[Int(prefix.bytes[0])] = true }
        return starts
    }()

    private func key() -> Range<Int>? {
        guard ShapeScan.starts[Int(text[index])] else { return nil }
        for prefix in ShapeScan.prefixes where text[index...].starts(with: prefix.bytes) {
            var end = index + prefix.bytes.count
            var hasDigit = false
            while end < text.count, isKeyByte(text[end]) {
                if isDigit(text[end]) { hasDigit = true }
                end += 1
            }
            let length = end - index - prefix.bytes.count
            if length >= prefix.least, hasDigit || !prefix.needsDigit { return index..<end }
        }
        return nil
    }

    /// A JSON Web Token (RFC 7519): two or three parts in base64url, the first of which begins with `{"`.
    private func webToken() -> Range<Int>? {
        guard matches("eyJ") else { return nil }
        var end = index
        var dots = 0
        while end < text.count, isKeyByte(text[end]) {
            if text[end] == UInt8(ascii: ".") { dots += 1 }
            end += 1
        }
        return dots >= 1 && end - index >= 20 ? index..<end : nil
    }

    private func privateKey() -> Range<Int>? {
        guard matches("-----BEGIN "), let lineEnd = text[index...].firstIndex(of: 0x0a) ?? Optional(text.count),
            contains("PRIVATE KEY", in: index..<lineEnd)
        else { return nil }
        var line = lineEnd
        while line < text.count {
            let end = text[(line + 1)...].firstIndex(of: 0x0a) ?? text.count
            if text[(line + 1)..<end].starts(with: "-----END ".utf8) { return index..<end }
            line = end
        }
        return index..<text.count
    }

    /// `Bearer` and `Basic` credentials (RFC 9110 section 11.4).
    private func scheme() -> Range<Int>? {
        let isBasic = matches("basic ", ignoringCase: true)
        guard isBasic || matches("bearer ", ignoringCase: true) else { return nil }
        let start = index + (isBasic ? 6 : 7)
        var end = start
        var hasDigit = false
        while end < text.count, isKeyByte(text[end]) || "+/=~".utf8.contains(text[end]) {
            if isDigit(text[end]) || text[end] == UInt8(ascii: "=") { hasDigit = true }
            end += 1
        }
        return end - start >= 8 && (hasDigit || !isBasic) ? start..<end : nil
    }

    // MARK: URLs

    /// The part before `@`; what follows a `?` is found when the scan gets there.
    private mutating func enterURL() -> Range<Int>? {
        let start = index + 3
        var end = start
        while end < text.count, text[end] > 0x20, !"\"'<>`\\".utf8.contains(text[end]) { end += 1 }
        urlEnd = end
        let authorityEnd = text[start..<end].firstIndex { "/?#".utf8.contains($0) } ?? end
        guard let at = text[start..<authorityEnd].lastIndex(of: UInt8(ascii: "@")) else { return nil }
        return start..<at
    }

    // MARK: Assignments

    /// `NAME=value`, `"name": "value"`, `Name: value`.
    private mutating func assignment() -> Range<Int>? {
        guard index >= nameEnd else { return nil }
        var end = index
        while end < text.count, isWord(text[end]) || text[end] == UInt8(ascii: "-") || text[end] == UInt8(ascii: ".") {
            end += 1
        }
        nameEnd = end
        let name = text[index..<end]
        var next = end
        var isQuoted = false
        // Escaped, where one JSON text stands in another.
        if next < text.count, text[next] == UInt8(ascii: "\\") { next += 1 }
        if next < text.count, isQuote(text[next]) {
            isQuoted = true
            next += 1
        }
        while next < text.count, text[next] == 0x20 || text[next] == 0x09 { next += 1 }
        guard next < text.count, text[next] == UInt8(ascii: "=") || text[next] == UInt8(ascii: ":"),
            SecretName.matches(name)
        else { return nil }
        let isColon = text[next] == UInt8(ascii: ":")
        next += 1
        while next < text.count, text[next] == 0x20 || text[next] == 0x09 { next += 1 }
        guard next < text.count else { return nil }
        if isHeader(name), !isQuoted { return next..<lineEnd(next) }
        // In prose a colon follows many a word.
        guard !isColon || isQuoted || isIdentifier(name) else { return nil }
        if text[next] == UInt8(ascii: "\\") { next += 1 }
        guard next < text.count else { return nil }
        if isQuote(text[next]) { return next + 1..<quoteEnd(next) }
        var valueEnd = next
        while valueEnd < text.count, text[valueEnd] > 0x20, !isQuote(text[valueEnd]) { valueEnd += 1 }
        let value = text[next..<valueEnd]
        let isLiteral = ["null", "true", "false"].contains { value.starts(with: $0.utf8) }
        return isLiteral ? nil : next..<valueEnd
    }

    private func isHeader(_ name: ArraySlice<UInt8>) -> Bool {
        let name = name.map(lowercase)
        return ["authorization", "proxy-authorization", "cookie", "set-cookie"].contains { name.elementsEqual($0.utf8) }
    }

    private func isIdentifier(_ name: ArraySlice<UInt8>) -> Bool {
        name.contains { $0 == UInt8(ascii: "_") || $0 == UInt8(ascii: "-") }
            || name.map(lowercase).starts(with: "passw".utf8)
    }

    private func lineEnd(_ start: Int) -> Int {
        text[start...].firstIndex { $0 == 0x0a || $0 == 0x0d || $0 == UInt8(ascii: "\"") } ?? text.count
    }

    private func quoteEnd(_ quote: Int) -> Int {
        var end = quote + 1
        while end < text.count, text[end] != text[quote], text[end] != 0x0a {
            end += text[end] == UInt8(ascii: "\\") ? 2 : 1
        }
        return min(end, text.count)
    }

    // MARK: Bytes

    private func matches(_ word: StaticString, ignoringCase: Bool = false) -> Bool {
        let length = word.utf8CodeUnitCount
        guard text.count - index >= length else { return false }
        return (0..<length).allSatisfy { place in
            let byte = ignoringCase ? lowercase(text[index + place]) : text[index + place]
            return byte == word.utf8Start[place]
        }
    }

    private func contains(_ word: String, in range: Range<Int>) -> Bool {
        let word = Array(word.utf8)
        return range.contains { text[$0..<range.upperBound].starts(with: word) }
    }
}

private func lowercase(_ byte: UInt8) -> UInt8 { byte &- 0x41 < 26 ? byte | 0x20 : byte }
private func isDigit(_ byte: UInt8) -> Bool { byte &- 0x30 < 10 }
private func isQuote(_ byte: UInt8) -> Bool { byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "'") }
private func isWord(_ byte: UInt8) -> Bool {
    isDigit(byte) || lowercase(byte) &- 0x61 < 26 || byte == UInt8(ascii: "_")
}
private func isKeyByte(_ byte: UInt8) -> Bool {
    isWord(byte) || byte == UInt8(ascii: "-") || byte == UInt8(ascii: ".")
}
