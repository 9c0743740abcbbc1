import Base
import Glibc

/// Where a file is fetched from: https, http on this machine, or a file. It was checked; nothing that could be read in two
/// ways (user names, odd spellings of addresses, spaces) gets this far.
package struct Location: Hashable, Sendable, CustomStringConvertible {
    package enum Scheme: String, Sendable {
        case https, http, file
    }

    package let scheme: Scheme
    /// A name in lower case, an IPv4 address, or an IPv6 address without its brackets. Empty for a file.
    package let host: String
    /// 0 for a file.
    package let port: UInt16
    /// What follows the host, percent-encoded: path and query. Begins with `/`.
    let target: String
    /// A file's path; empty for the others.
    package let filePath: String

    /// Bytes of a location: signed addresses of storage services have up to 2 KiB.
    package static let textLimit = 8 << 10

    /// - Parameter text: an absolute URL. A fragment is dropped.
    package init(_ text: String) throws(DownloadError) {
        guard text.utf8.count <= Location.textLimit else {
            throw DownloadError(.invalidLocation, "an address of \(text.utf8.count) bytes is too long")
        }
        guard !text.isEmpty, text.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F && $0 != UInt8(ascii: "\\") }) else {
            throw DownloadError(
                .invalidLocation,
                "an address has characters that have to be percent-encoded: \(visible(text))")
        }
        guard let mark = text.firstRange(ofText: "://"),
            let scheme = Scheme(rawValue: text[..<mark.lowerBound].lowercased())
        else {
            throw DownloadError(
                .invalidLocation, "\(visible(text)) is no address: it must begin with https:// or file:///")
        }
        let rest = text[mark.upperBound...].prefix { $0 != "#" }
        let authority = rest.prefix { $0 != "/" && $0 != "?" }
        var target = String(rest[authority.endIndex...])
        if !target.hasPrefix("/") { target = "/" + target }
        guard let decoded = percentDecoded(target) else {
            throw DownloadError(
                .invalidLocation, "a percent sign is followed by no hexadecimal number: \(visible(text))")
        }
        self.scheme = scheme
        if scheme == .file {
            guard authority.isEmpty || authority == "localhost", rest.contains("/") else {
                throw DownloadError(.invalidLocation, "a file's address has three slashes: file:///path")
            }
            guard !target.contains("?"), !decoded.contains(0), let path = String(validating: decoded, as: UTF8.self)
            else {
                throw DownloadError(.invalidLocation, "\(visible(text)) names no file")
            }
            (host, port, filePath) = ("", 0, path)
        } else {
            (host, port) = try Location.authority(authority, of: text, defaultPort: scheme == .https ? 443 : 80)
            filePath = ""
        }
        self.target = target
        guard scheme != .http || isLoopback else {
            throw DownloadError(
                .invalidLocation,
                "\(visible(text)): http is for this machine alone, since anybody on the way could change what comes; use https"
            )
        }
    }

    /// A file or folder of this machine.
    /// - Parameter path: absolute.
    package init(file path: String) throws(DownloadError) {
        guard path.utf8.first == UInt8(ascii: "/") else {
            throw DownloadError(.invalidLocation, "\(path) is no absolute path")
        }
        try self.init("file://" + percentEncoded(path))
    }

    /// Host and port as they are written in a request; the port only where it isn't the scheme's own.
    var authority: String {
        let name = host.contains(":") ? "[\(host)]" : host
        return port == (scheme == .https ? 443 : 80) ? name : "\(name):\(port)"
    }

    /// The address, whole.
    package var description: String { scheme.rawValue + "://" + (scheme == .file ? "" : authority) + target }

    /// The address without its query, which may hold a key: for messages.
    package var name: String { String(description.prefix { $0 != "?" }) }

    /// Whether the host is this machine, by its address or as `localhost`.
    package var isLoopback: Bool { host == "localhost" || host == "::1" || (isAddress && host.hasPrefix("127.")) }

    /// Whether nothing leaves this machine: a file, or a server here.
    package var isLocal: Bool { scheme == .file || isLoopback }

    /// Whether the host is a number rather than a name.
    var isAddress: Bool { isIPAddress(host) }

    private static func authority(
        _ authority: Substring, of text: String, defaultPort: UInt16
    ) throws(DownloadError) -> (String, UInt16) {
        guard !authority.contains("@") else {
            // Whoever pasted it doesn't want to see it in a log.
            throw DownloadError(.invalidLocation, "an address with a user name or password in it is not used")
        }
        var host = authority
        var port: UInt16? = defaultPort
        let hostEnd =
            authority.hasPrefix("[") ? authority.firstIndex(of: "]") ?? authority.endIndex : authority.startIndex
        if let colon = authority[hostEnd...].firstIndex(of: ":") {
            host = authority[..<colon]
            let digits = authority[authority.index(after: colon)...]
            port = digits.utf8.allSatisfy { (0x30...0x39).contains($0) } ? UInt16(digits) : nil
        }
        guard let port, port > 0 else { throw DownloadError(.invalidLocation, "\(visible(text)) has an invalid port") }
        let name = host.lowercased()
        if name.hasPrefix("["), name.hasSuffix("]") {
            let number = String(name.dropFirst().dropLast())
            if number.contains(":"), isIPAddress(number) { return (number, port) }
        } else if isHostName(name) || (isIPAddress(name) && !name.contains(":")) {
            return (name, port)
        }
        throw DownloadError(.invalidLocation, "\(visible(text)) has an invalid host")
    }

    /// A name of DNS. The last part is no number, so that `127.1` and the like are none.
    private static func isHostName(_ name: String) -> Bool {
        let parts = name.split(separator: ".", omittingEmptySubsequences: false)
        guard name.utf8.count <= 253, let last = parts.last?.utf8.first, !(0x30...0x39).contains(last) else {
            return false
        }
        return parts.allSatisfy { part in
            (1...63).contains(part.utf8.count)
                && part.utf8.allSatisfy { byte in
                    switch byte {
                    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "0")...UInt8(ascii: "9"),
                        UInt8(ascii: "-"), UInt8(ascii: "_"):
                        true
                    default: false
                    }
                }
        }
    }
}

/// Whether a text is an IPv4 address in four decimal parts, or an IPv6 address.
func isIPAddress(_ text: String) -> Bool {
    var bytes = in6_addr()
    return inet_pton(AF_INET, text, &bytes) == 1 || inet_pton(AF_INET6, text, &bytes) == 1
}

/// What of a text can be shown in one line of a message.
func visible(_ text: String) -> String {
    let bytes = text.utf8.prefix(200).map { $0 > 0x1F && $0 < 0x7F ? $0 : UInt8(ascii: "?") }
    return String(decoding: bytes, as: UTF8.self) + (text.utf8.count > 200 ? "…" : "")
}

/// Nil when a `%` has no two hexadecimal digits after it.
func percentDecoded(_ text: String) -> [UInt8]? {
    func digit(_ byte: UInt8) -> UInt8? { Character(UnicodeScalar(byte)).hexDigitValue.map { UInt8($0) } }
    var bytes: [UInt8] = []
    var rest = Array(text.utf8)[...]
    while let byte = rest.popFirst() {
        guard byte == UInt8(ascii: "%") else {
            bytes.append(byte)
            continue
        }
        guard let high = rest.popFirst().flatMap(digit), let low = rest.popFirst().flatMap(digit) else { return nil }
        bytes.append(high << 4 | low)
    }
    return bytes
}

/// A path as a URL has it.
private func percentEncoded(_ path: String) -> String {
    var text: [UInt8] = []
    for byte in path.utf8 {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "/"), UInt8(ascii: "."), UInt8(ascii: "-"),
            UInt8(ascii: "_"), UInt8(ascii: "~"):
            text.append(byte)
        default: text += Array("%\(hexadecimal([byte]).uppercased())".utf8)
        }
    }
    return String(decoding: text, as: UTF8.self)
}
