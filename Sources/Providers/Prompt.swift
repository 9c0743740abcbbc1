/// What a provider is told at the beginning of a turn, or added to one that runs.
package struct Prompt: Equatable, Sendable {
    /// What the person wrote.
    package var text: String
    /// What the person added to it.
    package var attachments: [Attachment]
    /// What was said in this conversation with another provider, for one that wasn't there; comes before the text.
    package var context: String?

    package init(_ text: String, attachments: [Attachment] = [], context: String? = nil) {
        self.text = text
        self.attachments = attachments
        self.context = context
    }

    /// Context and text in one, for providers that take nothing but text.
    package var contextAndText: String { context.map { "\($0)\n\n\(text)" } ?? text }

    /// All of it as text. An attachment that is none is mentioned, so that the agent can say that it can't see it.
    package var plainText: String { plainText { _ in true } }

    /// As `plainText`, with those attachments only that have no other way to the provider.
    package func plainText(including isIncluded: (Attachment) -> Bool) -> String {
        ([contextAndText] + attachments.filter(isIncluded).map(\.plainText)).joined(separator: "\n\n")
    }
}

/// A file, an image or a reference that belongs to a message.
package struct Attachment: Equatable, Sendable {
    package enum Content: Equatable, Sendable {
        /// Standard base64 with padding, as every provider wants it: checked where it comes in, never unpacked.
        case data(base64: String)
        case text(String)
        /// Something that the agent can look up itself, for example `file:///home/me/plan.md`.
        case link(uri: String)
    }

    /// For people, for example the file's name.
    package var name: String?
    /// For example `image/png`.
    package var mediaType: String
    package var content: Content

    package init(name: String? = nil, mediaType: String, content: Content) {
        self.name = name
        self.mediaType = mediaType
        self.content = content
    }

    package var isImage: Bool {
        if case .data = content { return mediaType.hasPrefix("image/") }
        return false
    }

    /// A line about it, or what it says.
    package var plainText: String {
        let title = name ?? mediaType
        switch content {
        case .text(let text): return "[Attached: \(title)]\n\(text)"
        case .link(let uri): return "[Attached: \(uri)]"
        case .data(let base64):
            let bytes = base64.utf8.count / 4 * 3
            return "[Attached, but this agent can't take it: \(title), \(mediaType), about \(bytes) bytes]"
        }
    }
}

extension Prompt: ExpressibleByStringLiteral {
    package init(stringLiteral text: String) { self.init(text) }
}
