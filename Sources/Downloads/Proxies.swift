import Base
import COpenSSL
import HTTP1

/// The way out that a person's environment names: `HTTPS_PROXY` (or `ALL_PROXY`) and `NO_PROXY`, in either case, as curl reads
/// them. This machine is never asked for by way of another.
struct Proxies {
    /// An http proxy, which is asked for a tunnel: what goes through it is TLS from end to end.
    struct Proxy {
        let host: String
        let port: UInt16
        /// The value of `Proxy-Authorization`.
        let authorization: String?

        var name: String { "the proxy \(host):\(port)" }
    }

    private let text: String?
    private let exceptions: [Substring]

    init(environment: [String: String]) {
        func value(_ names: String...) -> String? {
            names.lazy.compactMap { environment[$0] }.first { !$0.isEmpty }
        }
        text = value("https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY")
        exceptions = (value("no_proxy", "NO_PROXY") ?? "").split { $0 == "," || $0 == " " }
    }

    /// Nil when the location is asked directly.
    func proxy(for location: Location) throws(DownloadError) -> Proxy? {
        guard let text, location.scheme == .https, !location.isLoopback, !isException(location) else { return nil }
        return try Proxies.parse(text)
    }

    /// `*`, a name (with what is below it, with or without a dot in front), an address, each with a port or without.
    private func isException(_ location: Location) -> Bool {
        exceptions.contains { entry in
            var name = entry.lowercased()
            if name == "*" { return true }
            if let colon = name.lastIndex(of: ":"), let port = UInt16(name[name.index(after: colon)...]),
                !isIPAddress(name)
            {
                guard port == location.port else { return false }
                name = String(name[..<colon])
            }
            if name.hasPrefix("["), name.hasSuffix("]") { name = String(name.dropFirst().dropLast()) }
            if name.hasPrefix("*.") { name.removeFirst() }
            let bare = name.hasPrefix(".") ? String(name.dropFirst()) : name
            guard !bare.isEmpty else { return false }
            return location.host == bare || (!location.isAddress && location.host.hasSuffix("." + bare))
        }
    }

    private static func parse(_ text: String) throws(DownloadError) -> Proxy {
        var rest = Substring(text)
        if let mark = text.firstRange(ofText: "://") {
            guard text[..<mark.lowerBound].lowercased() == "http" else {
                throw wrong("only proxies with http:// are spoken to")
            }
            rest = text[mark.upperBound...]
        }
        rest = rest.prefix { $0 != "/" }
        var authorization: String?
        if let at = rest.lastIndex(of: "@") {
            guard let login = percentDecoded(String(rest[..<at])) else {
                throw wrong("its login isn't percent-encoded")
            }
            authorization = "Basic " + base64(login)
            rest = rest[rest.index(after: at)...]
        }
        // Checked as any other address is. A proxy without a port is where curl looks for it.
        let hasPort = rest.lastIndex(of: ":").map { rest[$0...].dropFirst().allSatisfy(\.isNumber) } ?? false
        let location: Location
        do throws(DownloadError) {
            location = try Location("https://\(rest)\(hasPort ? "" : ":1080")")
        } catch {
            throw wrong("it names no host and port")
        }
        return Proxy(host: location.host, port: location.port, authorization: authorization)
    }

    private static func wrong(_ reason: String) -> DownloadError {
        // Not quoted: there may be a password in it.
        DownloadError(.invalidLocation, "HTTPS_PROXY can't be used: \(reason); it has to be http://host:port")
    }

    private static func base64(_ bytes: [UInt8]) -> String {
        var text = [UInt8](repeating: 0, count: (bytes.count + 2) / 3 * 4 + 1)
        let count = EVP_EncodeBlock(&text, bytes, Int32(clamping: bytes.count))
        return String(decoding: text[..<Int(count)], as: UTF8.self)
    }
}

extension Proxies.Proxy {
    /// Asks for a tunnel to the location's host.
    func openTunnel(
        to location: Location, over channel: any Channel, userAgent: String, limits: DownloadLimits,
        until deadline: Patience.Instant
    ) throws(DownloadError) {
        let host = location.host.contains(":") ? "[\(location.host)]" : location.host
        var request = "CONNECT \(host):\(location.port) HTTP/1.1\r\nhost: \(host):\(location.port)\r\n"
        request += "user-agent: \(userAgent)\r\n"
        if let authorization { request += "proxy-authorization: \(authorization)\r\n" }
        let answer = try Exchange(
            name, Array((request + "\r\n").utf8), over: channel, bodyLimit: 0, limits: limits, until: deadline)
        let status = answer.head.status
        guard status != 407 else {
            throw DownloadError(
                .refused(status: 407), "\(name) wants a login: HTTPS_PROXY=http://name:password@host:port")
        }
        guard (200..<300).contains(status) else {
            throw DownloadError(.refused(status: status), "\(name) refuses a connection to \(location.host): \(status)")
        }
        guard !answer.hasMore else {
            throw DownloadError(.badAnswer, "\(name) sends something before it was asked")
        }
    }
}
