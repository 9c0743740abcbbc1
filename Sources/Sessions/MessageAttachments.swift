import HubProtocol
import JSON
import Providers

/// Files that come with a message, as clients send them and as the log keeps them: `{name?, mediaType, data}` in
/// base64, `{name?, mediaType, text}`, or `{name?, mediaType?, uri}`.
enum MessageAttachments {
    static let maxCount = 20

    /// - Throws: `invalid_request` naming the attachment, `payload_too_large`.
    static func check(_ attachments: [JSON], maxBytes: Int) throws(Failure) {
        guard attachments.count <= maxCount else {
            throw Failure(code: "invalid_request", message: "A message has at most \(maxCount) attachments.")
        }
        var bytes = 0
        for (index, json) in attachments.enumerated() {
            guard let attachment = attachment(json) else {
                throw Failure(
                    code: "invalid_request",
                    message:
                        "Attachment \(index + 1) must be {name?, mediaType, data (base64)}, {name?, mediaType, text} or {name?, uri}.",
                    details: ["field": JSON("attachments[\(index)]")])
            }
            switch attachment.content {
            case .data(let base64): bytes += base64.utf8.count
            case .text(let text): bytes += text.utf8.count
            case .link(let uri): bytes += uri.utf8.count
            }
        }
        guard bytes <= maxBytes else {
            throw Failure(
                code: "payload_too_large", message: "All attachments together may have at most \(maxBytes) bytes.")
        }
    }

    /// Nil when it is none.
    static func attachment(_ json: JSON) -> Attachment? {
        guard let object = json.objectValue else { return nil }
        let contents = ["data", "text", "uri"].filter { object[$0] != nil }
        guard contents.count == 1, let content = object[contents[0]]?.stringValue else { return nil }
        for key in ["name", "mediaType"] where object[key] != nil && object[key]?.stringValue == nil { return nil }
        let name = object["name"]?.stringValue
        let mediaType = object["mediaType"]?.stringValue ?? (contents[0] == "uri" ? "application/octet-stream" : "")
        guard isMediaType(mediaType), (name?.utf8.count ?? 0) <= 1024 else { return nil }
        switch contents[0] {
        case "data":
            guard isBase64(content) else { return nil }
            return Attachment(name: name, mediaType: mediaType, content: .data(base64: content))
        case "text": return Attachment(name: name, mediaType: mediaType, content: .text(content))
        default:
            guard content.utf8.count <= 8192, content.contains(":") else { return nil }
            return Attachment(name: name, mediaType: mediaType, content: .link(uri: content))
        }
    }

    private static func isMediaType(_ text: String) -> Bool {
        let parts = text.utf8.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false)
        return parts.count == 2 && text.utf8.count <= 128
            && parts.allSatisfy { !$0.isEmpty && $0.allSatisfy { $0 > 32 && $0 < 127 && $0 != UInt8(ascii: ",") } }
    }

    /// RFC 4648 section 4, with padding and nothing between.
    private static func isBase64(_ text: String) -> Bool {
        let bytes = text.utf8
        guard !bytes.isEmpty, bytes.count % 4 == 0 else { return false }
        let padding = bytes.reversed().prefix { $0 == UInt8(ascii: "=") }.count
        return padding <= 2
            && bytes.dropLast(padding).allSatisfy { byte in
                switch byte {
                case 0x30...0x39, 0x41...0x5a, 0x61...0x7a, UInt8(ascii: "+"), UInt8(ascii: "/"): true
                default: false
                }
            }
    }
}
