import HubProtocol

/// Whom a message is for: in a session of several providers it may begin with one's name, as in `@codex look at this`.
enum MessageAddress {
    /// - Returns: the provider that is addressed, nil when none of the session's is.
    static func provider(of text: String, among providerIds: [String]) -> String? {
        guard providerIds.count > 1, let name = name(in: text) else { return nil }
        let identifier = ProviderID.resolve(name.lowercased())
        return providerIds.first { $0 == identifier || $0.lowercased() == name.lowercased() }
    }

    /// The message without the name, as the one who is addressed is told it.
    static func textWithoutName(_ text: String) -> String {
        guard let name = name(in: text) else { return text }
        let rest = text.drop(while: \.isWhitespace).dropFirst(name.count + 1)
        return String(rest.drop { $0.isWhitespace || $0 == ":" || $0 == "," })
    }

    private static func name(in text: String) -> Substring? {
        let start = text.drop(while: \.isWhitespace)
        guard start.first == "@" else { return nil }
        let name = start.dropFirst().prefix { $0.isASCII && ($0.isLetter || $0.isNumber || "._-".contains($0)) }
        let after = start.dropFirst(name.count + 1).first
        guard !name.isEmpty, after == nil || after!.isWhitespace || after == ":" || after == "," else { return nil }
        return name
    }
}
