import Base
import Digests
import HTTP1

/// A file that is inside the program: it never changes while the daemon runs, so clients may keep it and ask whether it
/// is still the same (RFC 9110 section 13.1.2).
final class StaticDocument {
    let contentType: String
    let bytes: [UInt8]
    /// Strong: each coding of the bytes has its own (RFC 9110 section 8.8.3.3).
    let tag: String
    /// The bytes under gzip, made when somebody asks for them.
    private(set) lazy var packed: [UInt8]? = ContentCoding.gzip(bytes, level: 9)

    init(contentType: String, bytes: [UInt8]) {
        self.contentType = contentType
        self.bytes = bytes
        tag = hexadecimal(sha256(bytes).prefix(12))
    }

    func entityTag(isPacked: Bool) -> String { isPacked ? "\"\(tag)-gzip\"" : "\"\(tag)\"" }

    /// Whether `If-None-Match` names what would be sent, in whichever coding.
    func isKnown(_ headers: HTTPHeaders) -> Bool {
        headers.values("if-none-match").contains { value in
            value.split(separator: ",").contains { element in
                var name = element.trimmed
                if name == "*" { return true }
                // Compared weakly, as the condition wants it.
                if name.hasPrefix("W/") { name = name.dropFirst(2) }
                return name == entityTag(isPacked: false) || name == entityTag(isPacked: true)
            }
        }
    }
}

extension Substring {
    /// Without the spaces and tabs that RFC 9110 allows around elements of a list.
    var trimmed: Substring {
        var text = drop { $0 == " " || $0 == "\t" }
        while let last = text.last, last == " " || last == "\t" { text.removeLast() }
        return text
    }
}
