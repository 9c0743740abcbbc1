import ACPMessages
import JSON

/// A prompt's content blocks as the daemon takes messages, and back: a text and what is attached to it. Pure.
enum EditorPrompt {
    /// What isn't text is named in the text at its place, so that the sentence stays whole.
    /// - Throws: `invalidParameters`.
    static func read(_ prompt: JSON?) throws(ACPError) -> (text: String, attachments: [JSON]) {
        guard let blocks = prompt?.arrayValue, !blocks.isEmpty else {
            throw .invalidParameters("prompt is missing, or no list of content blocks")
        }
        var text = ""
        var attachments: [JSON] = []
        for block in blocks {
            switch block["type"]?.stringValue {
            case "text": text += block["text"]?.stringValue ?? ""
            case "resource_link":
                guard let uri = block["uri"]?.stringValue else { throw .invalidParameters("a link without uri") }
                let name = block["name"]?.stringValue ?? EditorPrompt.name(ofURI: uri)
                var link: JSONObject = ["name": JSON(clipped(name)), "uri": JSON(uri)]
                if let type = block["mimeType"]?.stringValue { link["mediaType"] = JSON(type) }
                attachments.append(.object(link))
                mention(name, in: &text)
            case "resource":
                let (name, attachment) = try embedded(block["resource"])
                attachments.append(attachment)
                mention(name, in: &text)
            case "image", "audio":
                guard let data = block["data"]?.stringValue, let type = block["mimeType"]?.stringValue else {
                    throw .invalidParameters("an image needs data and mimeType")
                }
                var media: JSONObject = ["mediaType": JSON(type), "data": JSON(data)]
                if let uri = block["uri"]?.stringValue { media["name"] = JSON(clipped(EditorPrompt.name(ofURI: uri))) }
                attachments.append(.object(media))
            default: throw .invalidParameters("a content block of unknown type \(block["type"] ?? .null)")
            }
        }
        return (text, attachments)
    }

    private static func embedded(_ resource: JSON?) throws(ACPError) -> (name: String, JSON) {
        guard let uri = resource?["uri"]?.stringValue else { throw .invalidParameters("a resource without uri") }
        // The whole path: that is what the agent knows the file by.
        let path = uri.hasPrefix("file://") ? decoded(String(uri.dropFirst(7))) : uri
        var attachment: JSONObject = ["name": JSON(clipped(path))]
        if let text = resource?["text"]?.stringValue {
            attachment["mediaType"] = JSON(resource?["mimeType"]?.stringValue ?? "text/plain")
            attachment["text"] = JSON(text)
        } else if let blob = resource?["blob"]?.stringValue {
            attachment["mediaType"] = JSON(resource?["mimeType"]?.stringValue ?? "application/octet-stream")
            attachment["data"] = JSON(blob)
        } else {
            throw .invalidParameters("a resource with neither text nor blob")
        }
        return (name(ofURI: uri), .object(attachment))
    }

    private static func mention(_ name: String, in text: inout String) {
        if let last = text.last, !last.isWhitespace { text += " " }
        // Not at the beginning: `@name` there would address a provider.
        text += text.isEmpty ? "[\(name)] " : "@\(name) "
    }

    private static func name(ofURI uri: String) -> String {
        let end = uri.split(separator: "#", maxSplits: 1).first.map(String.init) ?? uri
        return decoded(end.split(separator: "/").last.map(String.init) ?? uri)
    }

    /// The daemon takes names of 1 KiB.
    private static func clipped(_ name: String) -> String {
        name.utf8.count <= 1024 ? name : Narrator.pieces(of: name, of: 1024)[0]
    }

    private static func decoded(_ text: String) -> String {
        var bytes: [UInt8] = []
        var rest = Array(text.utf8)[...]
        while let byte = rest.popFirst() {
            if byte == UInt8(ascii: "%"), rest.count >= 2,
                let value = UInt8(String(decoding: rest.prefix(2), as: UTF8.self), radix: 16)
            {
                bytes.append(value)
                rest = rest.dropFirst(2)
            } else {
                bytes.append(byte)
            }
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    // MARK: Back

    /// An attachment of the log as a content block.
    static func block(_ attachment: JSON) -> JSON? {
        let name = attachment["name"]?.stringValue
        let type = attachment["mediaType"]?.stringValue ?? "application/octet-stream"
        let uri = name.map {
            $0.hasPrefix("/") ? "file://" + PathPart.encode(path: $0) : "attachment:///" + PathPart.encode($0)
        }
        if let uri = attachment["uri"]?.stringValue {
            return ["type": "resource_link", "uri": JSON(uri), "name": JSON(name ?? uri)]
        }
        if let text = attachment["text"]?.stringValue {
            let resource: JSON = [
                "uri": JSON(uri ?? "attachment:///unnamed"), "mimeType": JSON(type), "text": JSON(text),
            ]
            return ["type": "resource", "resource": resource]
        }
        guard let data = attachment["data"]?.stringValue else { return nil }
        for kind in ["image", "audio"] where type.hasPrefix(kind + "/") {
            return ["type": JSON(kind), "mimeType": JSON(type), "data": JSON(data)]
        }
        let resource: JSON = [
            "uri": JSON(uri ?? "attachment:///unnamed"), "mimeType": JSON(type), "blob": JSON(data),
        ]
        return ["type": "resource", "resource": resource]
    }
}
