import JSON
import Providers

/// A prompt as the content of a user message of the Messages API.
enum ClaudePrompt {
    /// What the API takes as images; Claude Code replaces any other by a line that says so.
    private static let imageTypes: Set = ["image/png", "image/jpeg", "image/gif", "image/webp"]

    /// What was said elsewhere first, then what was added, then the person's words.
    static func content(_ prompt: Prompt) -> JSON {
        if prompt.context == nil, prompt.attachments.isEmpty { return JSON(prompt.text) }
        var blocks: [JSON] = []
        if let context = prompt.context, !context.isEmpty { blocks.append(text(context)) }
        blocks += prompt.attachments.map(block)
        // The API refuses an empty text.
        if !prompt.text.isEmpty || blocks.isEmpty { blocks.append(text(prompt.text)) }
        return .array(blocks)
    }

    private static func text(_ text: String) -> JSON { ["type": "text", "text": JSON(text)] }

    private static func block(_ attachment: Attachment) -> JSON {
        switch attachment.content {
        case .data(let base64) where imageTypes.contains(attachment.mediaType):
            return [
                "type": "image",
                "source": ["type": "base64", "media_type": JSON(attachment.mediaType), "data": JSON(base64)],
            ]
        case .data(let base64) where attachment.mediaType == "application/pdf":
            return document(
                ["type": "base64", "media_type": "application/pdf", "data": JSON(base64)], title: attachment.name)
        case .text(let content) where !content.isEmpty:
            return document(
                ["type": "text", "media_type": "text/plain", "data": JSON(content)], title: attachment.name)
        case .data, .text, .link:
            return text(attachment.plainText)
        }
    }

    private static func document(_ source: JSON, title: String?) -> JSON {
        var block: JSONObject = ["type": "document", "source": source]
        block["title"] = title.map { JSON($0) }
        return .object(block)
    }
}
