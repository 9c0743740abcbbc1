package import JSON
package import Providers

/// What an agent says it takes in prompts, beside text and links, which all of them take.
package struct PromptCapabilities: Equatable, Sendable {
    package var image = false
    package var audio = false
    package var embeddedContext = false

    package init() {}

    init(_ announced: JSON?) {
        image = announced?["image"]?.boolValue ?? false
        audio = announced?["audio"]?.boolValue ?? false
        embeddedContext = announced?["embeddedContext"]?.boolValue ?? false
    }
}

extension Prompt {
    /// The content blocks of `session/prompt`: first all that can only be told as text, then the rest in its own kind.
    package func contentBlocks(_ capabilities: PromptCapabilities) -> [JSON] {
        var blocks: [JSON] = []
        var told: [Attachment] = []
        for attachment in attachments {
            if let block = Prompt.block(attachment, capabilities) {
                blocks.append(block)
            } else {
                told.append(attachment)
            }
        }
        let text = plainText { told.contains($0) }
        return [["type": "text", "text": JSON(text)]] + blocks
    }

    /// The text block's text.
    package func text(_ capabilities: PromptCapabilities) -> String {
        plainText { Prompt.block($0, capabilities) == nil }
    }

    /// Nil where the agent doesn't take such a thing.
    private static func block(_ attachment: Attachment, _ capabilities: PromptCapabilities) -> JSON? {
        let type = attachment.mediaType
        switch attachment.content {
        case .link(let uri):
            return [
                "type": "resource_link", "uri": JSON(uri), "name": JSON(attachment.name ?? uri),
                "mimeType": JSON(type),
            ]
        case .text(let text):
            guard capabilities.embeddedContext else { return nil }
            return [
                "type": "resource",
                "resource": ["uri": JSON(uri(attachment)), "mimeType": JSON(type), "text": JSON(text)],
            ]
        case .data(let base64):
            if type.hasPrefix("image/"), capabilities.image {
                return ["type": "image", "mimeType": JSON(type), "data": JSON(base64)]
            }
            if type.hasPrefix("audio/"), capabilities.audio {
                return ["type": "audio", "mimeType": JSON(type), "data": JSON(base64)]
            }
            guard capabilities.embeddedContext, !type.hasPrefix("image/"), !type.hasPrefix("audio/") else { return nil }
            return [
                "type": "resource",
                "resource": ["uri": JSON(uri(attachment)), "mimeType": JSON(type), "blob": JSON(base64)],
            ]
        }
    }

    /// A resource has to have one; what was attached has none but its name.
    private static func uri(_ attachment: Attachment) -> String {
        var uri = "attachment:///"
        for byte in (attachment.name ?? "unnamed").utf8 {
            switch byte {
            case 0x30...0x39, 0x41...0x5a, 0x61...0x7a, 0x2d, 0x2e, 0x5f, 0x7e:
                uri.unicodeScalars.append(Unicode.Scalar(byte))
            default:
                let digits = Array("0123456789ABCDEF".unicodeScalars)
                uri.unicodeScalars.append("%")
                uri.unicodeScalars.append(digits[Int(byte >> 4)])
                uri.unicodeScalars.append(digits[Int(byte & 15)])
            }
        }
        return uri
    }

    /// Bytes of all of it, roughly as they are sent.
    var size: Int {
        attachments.reduce(contextAndText.utf8.count) { size, attachment in
            switch attachment.content {
            case .data(let text), .text(let text), .link(uri: let text): size + text.utf8.count
            }
        }
    }
}
