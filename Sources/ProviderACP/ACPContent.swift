import JSON

/// Content blocks, ACP's (and MCP's) way to carry text and more than text.
enum ACPContent {
    /// The text that a block stands for; nil for what cannot be told in text (images, sound, unknown kinds).
    static func text(_ block: JSON?) -> String? {
        switch block?["type"]?.stringValue {
        case "text": return block?["text"]?.stringValue
        case "resource_link":
            guard let uri = block?["uri"]?.stringValue else { return nil }
            return "[\(block?["title"]?.stringValue ?? block?["name"]?.stringValue ?? uri)](\(uri))"
        case "resource": return block?["resource"]?["text"]?.stringValue
        default: return nil
        }
    }
}
