import Base
import HTTP1

/// Asks for locations: makes the connection, by the proxy and with TLS where that is due, and follows redirections.
final class Requests {
    private let limits: DownloadLimits
    private let userAgent: String
    private let environment: [String: String]
    private let proxies: Proxies
    /// Made when it is first needed: reading the machine's certificates takes 20 ms.
    private var tls: TLSContext?

    init(limits: DownloadLimits, userAgent: String, environment: [String: String]) {
        self.limits = limits
        self.userAgent = userAgent
        self.environment = environment
        proxies = Proxies(environment: environment)
    }

    /// The answer to a GET, which is not a redirection.
    /// - Parameter bodyLimit: beyond it the answer is refused.
    func get(
        _ start: Location, headers: HTTPHeaders = [:], bodyLimit: Int, patience: Patience
    ) throws(DownloadError) -> Exchange {
        var location = start
        for _ in 0...limits.redirections {
            let answer = try ask(location, headers, bodyLimit, patience)
            guard [301, 302, 303, 307, 308].contains(answer.head.status) else {
                try check(answer.head, location)
                return answer
            }
            guard let target = answer.head.headers["location"] else {
                throw DownloadError(.badAnswer, "\(location.name) is elsewhere, and doesn't say where")
            }
            location = try location.appending(target)
        }
        throw DownloadError(.badAnswer, "\(start.name) leads on and on: \(limits.redirections + 1) redirections")
    }

    /// Whether a body is what a file is fetched as: its own bytes.
    private func check(_ head: HTTPResponseHead, _ location: Location) throws(DownloadError) {
        let status = head.status
        // 416 is for whoever asked for a range.
        guard (200..<300).contains(status) || status == 416 else {
            guard status != 404, status != 410 else {
                throw DownloadError(.absent, "\(location.name) isn't there (\(status))")
            }
            let advice =
                switch status {
                case 401, 403: ": it wants to know who asks"
                case 429: ": it was asked too often"
                case 500...: ": it has trouble of its own"
                default: ""
                }
            throw DownloadError(.refused(status: status), "\(location.name) answers \(status)\(advice)")
        }
        guard status != 416 else { return }
        if let coding = head.headers["content-encoding"], coding.lowercased() != "identity" {
            throw DownloadError(
                .badAnswer, "\(location.name) sends its file compressed (\(visible(coding))), which wasn't asked for")
        }
        if let type = head.headers["content-type"]?.lowercased(), type.hasPrefix("text/html") {
            throw DownloadError(
                .badAnswer,
                "\(location.name) answers with a web page instead of a file: does this network want a login first?")
        }
    }

    private func ask(
        _ location: Location, _ headers: HTTPHeaders, _ bodyLimit: Int, _ patience: Patience
    ) throws(DownloadError) -> Exchange {
        guard location.scheme != .file else { throw DownloadError(.invalidLocation, "\(location.name) is a file") }
        let channel = try connect(to: location, patience)
        var all: HTTPHeaders = [
            "user-agent": userAgent, "accept": "*/*", "accept-encoding": "identity", "connection": "close",
        ]
        for (name, value) in headers.pairs { all.append(name, value) }
        var request: [UInt8] = []
        do throws(HTTPEncodeError) {
            try HTTPRequestEncoder.writeHead(
                method: .get, target: location.target, host: location.authority, headers: all, into: &request)
        } catch {
            throw DownloadError(.invalidLocation, "\(location.name) can't be asked for: \(error.message)")
        }
        return try Exchange(
            location.name, request, over: channel, bodyLimit: bodyLimit, limits: limits,
            until: .now + limits.answerTimeout)
    }

    private func connect(to location: Location, _ patience: Patience) throws(DownloadError) -> any Channel {
        let deadline = Patience.Instant.now + limits.connectTimeout
        let proxy = try proxies.proxy(for: location)
        let (host, port) = (proxy?.host ?? location.host, proxy?.port ?? location.port)
        let addresses = try NameLookup.addresses(
            of: host, port: port, limit: limits.addresses, patience: patience, until: deadline)
        let socket = try SocketChannel(
            to: addresses, name: proxy?.name ?? location.authority, delay: limits.addressDelay, patience: patience,
            until: deadline)
        guard location.scheme == .https else { return socket }
        try proxy?.openTunnel(to: location, over: socket, userAgent: userAgent, limits: limits, until: deadline)
        let context: TLSContext
        if let tls {
            context = tls
        } else {
            context = try TLSContext(environment: environment)
            tls = context
        }
        return try TLSChannel(over: socket, to: location, context, until: deadline)
    }
}
