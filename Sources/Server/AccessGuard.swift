import Base
import EventLoop
import HTTP1

/// Who may talk to this server, decided before any handler sees the request: host, origin, and whose process it is.
package final class AccessGuard {
    package enum LoopbackMode: String, Sendable {
        /// A loopback peer of this server's own user needs no token.
        case sameUser = "same-user"
        /// Everybody needs it.
        case token
    }

    package struct Configuration: Sendable {
        package var loopback: LoopbackMode = .sameUser
        /// nil: nobody can present one.
        package var token: [UInt8]?
        /// Origins beside the server's own and `vscode-webview:`; exactly as browsers send them. `null` and `file:`
        /// stand for themselves.
        package var allowedOrigins: [String] = []
        /// `host:port` beside the bound ones.
        package var extraHosts: [String] = []
        /// Paths, exactly, that need no token: host and origin are checked all the same.
        package var openPaths: Set<String> = []
        /// Paths, exactly, that pages of other sites may load into a frame: what is there says by itself who may show it.
        package var framePaths: Set<String> = []
        /// Name of the browser session's cookie. Cookies are shared by all ports of a host, so it should name the port.
        package var cookieName = "session"
        /// How long a ticket can be exchanged.
        package var ticketLife: Duration = .seconds(30)
        /// How long a browser session lasts.
        package var sessionLife: Duration = .seconds(12 * 3600)

        package init() {}
    }

    /// How a request was allowed.
    package enum Ground: Sendable, Equatable { case openPath, sameUser, token, session }

    package struct Grant: Sendable {
        package let ground: Ground
        /// The `Origin` that answers must name; nil when there was none.
        let origin: String?
    }

    package struct Rejection: Sendable {
        package let status: Int
        package let code: String
        package let message: String
        let origin: String?
        /// Nanoseconds to wait before the answer.
        let delay: Int64
        /// Whether `delayedAnswerSent` must be told.
        let isThrottled: Bool
    }

    enum Decision {
        case allow(Grant)
        case reject(Rejection)
        /// A preflight: the guard's own answer, 204 with these fields.
        case preflight(HTTPHeaders)
    }

    package var configuration: Configuration {
        didSet { rebuild() }
    }
    private var hosts = HostNames(ports: [], addresses: [], extra: [])
    private var listeners: [SocketAddress] = []
    private var tickets: TicketStore
    private var throttle = FailureThrottle()
    private let owners: any SocketOwnerLookup

    package convenience init(_ configuration: Configuration) {
        self.init(configuration, owners: KernelSocketTable())
    }

    init(_ configuration: Configuration, owners: any SocketOwnerLookup) {
        self.configuration = configuration
        self.owners = owners
        tickets = TicketStore(ticketLife: configuration.ticketLife, sessionLife: configuration.sessionLife)
    }

    /// Adds an address the server listens on: its names are accepted as Host.
    func add(listener: SocketAddress) {
        listeners.append(listener)
        rebuild()
    }

    private func rebuild() {
        let addresses = listeners.map { $0.family == .ipv4 ? $0.host : "[\($0.host)]" }
        hosts = HostNames(ports: listeners.map(\.port), addresses: addresses, extra: configuration.extraHosts)
    }

    // MARK: Tickets

    /// A ticket for a browser, which cannot send the token with a WebSocket. Ask for it as somebody who is allowed to.
    package func issueTicket(now: Int64) -> String { tickets.issueTicket(now: now) }

    /// Exchanges a ticket for a browser session: the value of `Set-Cookie`; nil when it was used, is too old or wrong.
    package func redeemTicket(_ ticket: String, now: Int64) -> String? {
        guard let session = tickets.redeem(ticket, now: now) else { return nil }
        return "\(configuration.cookieName)=\(session); Path=/; HttpOnly; SameSite=Strict"
    }

    /// The answer to a throttled rejection has been sent or its connection is gone.
    func delayedAnswerSent() { throttle.answered() }

    // MARK: The checks, in their order

    func check(_ head: HTTPRequestHead, peer: PeerIdentity, now: Int64) -> Decision {
        guard hosts.accepts(head) else {
            return .reject(
                rejection(421, "wrong_host", "the Host header does not name this server: use its address and port"))
        }
        var origin: String?
        switch checkOrigin(head) {
        case .refused:
            return .reject(
                rejection(
                    403, "origin_not_allowed",
                    "pages of this origin may not use this server: add it to security.allowedOrigins to allow it"))
        case .crossSite:
            return .reject(
                rejection(403, "cross_site", "requests made by another site's pages are not allowed"))
        case .none: break
        case .accepted(let text):
            origin = text
            if head.method == .options, head.headers.contains("access-control-request-method") {
                return .preflight(preflightHeaders(head, origin: text))
            }
        }
        return checkIdentity(head, peer: peer, origin: origin, now: now)
    }

    private func checkIdentity(
        _ head: HTTPRequestHead, peer: PeerIdentity, origin: String?, now: Int64
    ) -> Decision {
        if configuration.loopback == .sameUser, peer.isOwnProcess(owners) {
            return .allow(Grant(ground: .sameUser, origin: origin))
        }
        if !configuration.openPaths.isEmpty, configuration.openPaths.contains(head.path) {
            return .allow(Grant(ground: .openPath, origin: origin))
        }
        let token = bearerToken(head)
        if token == .right { return .allow(Grant(ground: .token, origin: origin)) }
        if hasSession(head, now: now) { return .allow(Grant(ground: .session, origin: origin)) }
        guard token == .wrong else {
            return .reject(
                rejection(401, "token_required", "send the token: Authorization: Bearer <token>", origin: origin))
        }
        guard let delay = throttle.failed(now: now) else {
            return .reject(rejection(429, "too_many_failures", "too many wrong tokens: wait", origin: origin))
        }
        return .reject(
            Rejection(
                status: 401, code: "token_invalid", message: "this is not the token of this server", origin: origin,
                delay: delay, isThrottled: delay > 0))
    }

    private func rejection(_ status: Int, _ code: String, _ message: String, origin: String? = nil) -> Rejection {
        Rejection(status: status, code: code, message: message, origin: origin, delay: 0, isThrottled: false)
    }

    // MARK: Origin

    private enum OriginCheck {
        case none, refused, crossSite
        case accepted(String)
    }

    private func checkOrigin(_ head: HTTPRequestHead) -> OriginCheck {
        var origins: [[UInt8]] = []
        head.headers.forEachValue(of: "origin") { value in
            origins.append(Array(value))
            return origins.count < 2
        }
        guard let origin = origins.first else { return checkFetchMetadata(head) }
        // More than one has no meaning (RFC 6454 section 7.3): which one a reader takes would be luck.
        guard origins.count == 1, isAllowed(origin) else { return .refused }
        return .accepted(String(decoding: origin, as: UTF8.self))
    }

    private func isAllowed(_ origin: [UInt8]) -> Bool {
        if hosts.isOwnOrigin(origin) { return true }
        let webview = Array("vscode-webview://".utf8)
        if origin.starts(with: webview), origin.count > webview.count,
            origin[webview.count...].allSatisfy({ $0 > 0x20 && $0 < 0x7f && $0 != UInt8(ascii: "/") })
        {
            return true
        }
        return configuration.allowedOrigins.contains { entry in
            let isFile = entry == "file:" && origin.elementsEqual("file://".utf8)
            return isFile || origin.elementsEqual(entry.utf8)
        }
    }

    /// What a page loads without reading it (images, scripts, forms by GET) carries no Origin. Browsers say by
    /// Fetch Metadata whose page it was; following a link is all right.
    private func checkFetchMetadata(_ head: HTTPRequestHead) -> OriginCheck {
        guard let site = head.headers["sec-fetch-site"], site != "same-origin", site != "none" else { return .none }
        guard head.method == .get, head.headers["sec-fetch-mode"] == "navigate" else { return .crossSite }
        switch head.headers["sec-fetch-dest"] {
        case "document": return .none
        case "iframe": return configuration.framePaths.contains(head.path) ? .none : .crossSite
        default: return .crossSite
        }
    }

    private func preflightHeaders(_ head: HTTPRequestHead, origin: String) -> HTTPHeaders {
        var headers = AccessGuard.originHeaders(origin)
        headers.append("access-control-allow-methods", "GET, HEAD, POST, PUT, PATCH, DELETE")
        headers.append(
            "access-control-allow-headers", "authorization, content-type, accept, last-event-id, if-none-match")
        headers.append("access-control-max-age", "600")
        // A page from elsewhere asks whether it may reach into a local network.
        if head.headers.contains("access-control-request-private-network") {
            headers.append("access-control-allow-private-network", "true")
        }
        return headers
    }

    /// What answers to a request with an allowed Origin must carry.
    static func originHeaders(_ origin: String) -> HTTPHeaders {
        HTTPHeaders([
            ("access-control-allow-origin", origin), ("vary", "Origin"),
            ("access-control-expose-headers", "location, etag, retry-after"),
        ])
    }

    // MARK: Secrets

    private enum Credential { case none, right, wrong }

    private func bearerToken(_ head: HTTPRequestHead) -> Credential {
        var result = Credential.none
        var count = 0
        head.headers.forEachValue(of: "authorization") { value in
            count += 1
            let scheme = "bearer ".utf8
            guard value.count > scheme.count,
                zip(value, scheme).allSatisfy({ $0 | ($0 == 0x20 ? 0 : 0x20) == $1 })
            else {
                result = .wrong
                return true
            }
            let given = value.dropFirst(scheme.count).drop { $0 == 0x20 }
            guard let token = configuration.token, !token.isEmpty else {
                result = .wrong
                return true
            }
            result = equalInConstantTime(given, token) ? .right : .wrong
            return true
        }
        return count > 1 ? .wrong : result
    }

    private func hasSession(_ head: HTTPRequestHead, now: Int64) -> Bool {
        var isKnown = false
        let name = Array("\(configuration.cookieName)=".utf8)
        head.headers.forEachValue(of: "cookie") { value in
            for pair in value.split(separator: UInt8(ascii: ";")) {
                let trimmed = pair.drop { $0 == 0x20 || $0 == 0x09 }
                guard trimmed.starts(with: name) else { continue }
                // One that is not known (any more) counts as none: browsers keep sending it after a restart.
                if tickets.isSession(trimmed.dropFirst(name.count), now: now) { isKnown = true }
            }
            return !isKnown
        }
        return isKnown
    }
}
