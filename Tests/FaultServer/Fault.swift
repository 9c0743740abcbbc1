import Foundation

/// What goes wrong with an answer. Nothing by default.
package struct Fault: Sendable, Equatable {
    package enum Framing: String, Sendable, CaseIterable {
        case length, chunked, close
    }

    /// Closes the connection after so many bytes of this answer's body.
    package var cut: Int?
    /// Closes the connection after so many bytes of its head.
    package var cutHead: Int?
    /// Where it closes it resets.
    package var resets = false
    /// Is silent after so many bytes of the body.
    package var stall: Int?
    /// Milliseconds before the answer.
    package var delay = 0
    /// Bytes of body a second.
    package var rate: Int?
    package var status: Int?
    /// Where `Location` leads; the status is 302 unless another is given.
    package var redirect: String?
    /// The byte of the file with this offset is another one.
    package var flip: Int?
    /// What Content-Length says.
    package var claim: Int?
    /// More bytes than the file has.
    package var extra = 0
    /// The body doesn't end.
    package var isEndless = false
    /// Ranges are not looked at.
    package var ignoresRanges = false
    /// What is sent is another part of the file than was asked for, and says so.
    package var sendsWrongRange = false
    /// What Content-Range says.
    package var contentRange: String?
    package var framing = Framing.length
    package var entityTag: String?
    /// Further header fields.
    package var headers: [(String, String)] = []
    /// Exactly these bytes are the answer.
    package var raw: [UInt8]?
    /// Only so many requests of this path meet the fault; those after it don't.
    package var times = Int.max

    package init() {}

    package init(_ change: (inout Fault) -> Void) {
        change(&self)
    }

    package static func == (left: Fault, right: Fault) -> Bool { "\(left)" == "\(right)" }

    /// Reads `cut=100;reset;times=1`. Nil for a word that means nothing.
    package init?(text: some StringProtocol) {
        for word in text.split(separator: ";") {
            let parts = String(word).split(separator: "=", maxSplits: 1).map(String.init)
            let value = parts.count > 1 ? parts[1] : ""
            let number = Int(value)
            switch (parts.first ?? "", number) {
            case ("cut", let number?): cut = number
            case ("cutHead", let number?): cutHead = number
            case ("reset", _): resets = true
            case ("stall", let number?): stall = number
            case ("delay", let number?): delay = number
            case ("rate", let number?): rate = number
            case ("status", let number?): status = number
            case ("redirect", _): redirect = value.removingPercentEncoding
            case ("flip", let number?): flip = number
            case ("claim", let number?): claim = number
            case ("extra", let number?): extra = number
            case ("endless", _): isEndless = true
            case ("noranges", _): ignoresRanges = true
            case ("wrongrange", _): sendsWrongRange = true
            case ("chunked", _): framing = .chunked
            case ("close", _): framing = .close
            case ("html", _): headers.append(("content-type", "text/html; charset=utf-8"))
            case ("gzip", _): headers.append(("content-encoding", "gzip"))
            case ("times", let number?): times = number
            default: return nil
            }
        }
    }
}
