import Base
import EventLog
import EventLoop
package import HTTP1
import HubProtocol
import JSON
package import Server
package import Sessions

/// Answers every request of the API: finds the route, has it carried out, and gives the answer its form.
package final class APIHandler: HTTPHandler {
    /// Where bodies may be larger than elsewhere: logs come in here.
    package static let uploadPath = "/api/v1/sessions/import"

    let service: SessionService
    let hub: StreamHub
    let providers: any ProviderDirectory
    /// The daemon owns this handler.
    unowned let core: any CoreControl
    /// Issues tickets for browsers.
    package weak var accessGuard: AccessGuard?
    /// One more stream is refused; those that are there stay.
    package var maxClients: Int
    /// Whether new streams may be compressed.
    package var compresses: Bool
    private(set) var router = Router()
    let web = WebClient()
    let apiDescription = StaticDocument(contentType: MediaTypes.json, bytes: APIHandler.openAPI)
    private var healthCache: (turn: Int64, clients: Int, text: [UInt8]) = (.min, 0, [])

    package init(
        service: SessionService, hub: StreamHub, core: any CoreControl, providers: any ProviderDirectory,
        maxClients: Int, compresses: Bool = true
    ) {
        self.service = service
        self.hub = hub
        self.core = core
        self.providers = providers
        self.maxClients = maxClients
        self.compresses = compresses
        hub.providers = providers
        addCoreRoutes(to: &router)
        addMetricsRoutes(to: &router)
        addSettingsRoutes(to: &router)
        addDescriptionRoutes(to: &router)
        addDiagnosticsRoutes(to: &router)
        addProviderRoutes(to: &router)
        addImportRoutes(to: &router)
        addSessionRoutes(to: &router)
        addUsageRoutes(to: &router)
        addSearchRoutes(to: &router)
        addTicketRoutes(to: &router)
    }

    package func receiver(of head: HTTPRequestHead) -> (any HTTPBodyReceiver)? {
        LogUpload.isUpload(head) ? LogUpload(directory: service.store.directory) : nil
    }

    package func handle(_ request: HTTPRequest, _ responder: HTTPResponder) {
        // What monitors ask for all the time, answered without looking at tables.
        if request.head.isPath("/health"), request.head.method == .get {
            return responder.respond(json: healthText())
        }
        if let document = web.document(at: request.head.path) {
            return give(document, of: request.head, Recipient(request, responder))
        }
        do throws(Failure) {
            let path = try segments(of: request.head)
            if path == ["stream"] { return try acceptStream(request, responder) }
            give(try answer(request, path), Recipient(request, responder))
        } catch {
            give(error, Recipient(request, responder))
        }
    }

    /// Within a turn of the loop the answer is the same for all who ask.
    private func healthText() -> [UInt8] {
        let now = service.loop.nowNanoseconds
        if healthCache.turn != now || healthCache.clients != hub.clientCount {
            healthCache = (now, hub.clientCount, JSON.object(health).serialize())
        }
        return healthCache.text
    }

    /// The path below `/api/v1`; the three that monitors know are at the root, too.
    private func segments(of head: HTTPRequestHead) throws(Failure) -> [String] {
        let segments: [String]
        do throws(PathSegments.Invalid) {
            segments = try PathSegments(head.path).segments
        } catch {
            throw Failure(code: "invalid_request", message: "The path is not valid: \(error.message).")
        }
        if segments.count > 2, segments[0] == "api", segments[1] == "v1" { return Array(segments[2...]) }
        if segments.count == 1, ["health", "status", "metrics"].contains(segments[0]) { return segments }
        throw APIHandler.noRoute
    }

    static let noRoute = Failure(code: "not_found", message: "There is nothing here. The API is below /api/v1.")

    private func answer(_ request: HTTPRequest, _ path: [String]) throws(Failure) -> APIReply {
        let head = request.head
        switch router.match(head.method, path) {
        case .notFound: throw APIHandler.noRoute
        case .otherMethods(let allowed): return otherMethod(head.method, allowed)
        case .found(let route, let parameters):
            try MediaTypes.requireAcceptable(head.headers, route.produces)
            let isStream = head.headers["accept"]?.lowercased().contains(text: "text/event-stream") == true
            let client = ClientIdentity(
                name: ClientIdentity.name(head.headers["user-agent"]),
                id: "h\(request.connectionID)", transport: isStream ? "sse" : "http")
            return try route.handler(
                APIRequest(
                    method: head.method, parameters: parameters, query: route.fields(of: head), headers: head.headers,
                    body: request.body, upload: request.receiver as? LogUpload, client: client))
        }
    }

    /// A method that the path doesn't take; `OPTIONS` asks which it does (RFC 9110 section 9.3.7).
    func otherMethod(_ method: HTTPMethod, _ allowed: String) -> APIReply {
        if method == .options { return .empty(204, headers: [("Allow", allowed)]) }
        let failure = Failure(code: "method_not_allowed", message: "This path takes \(allowed) only.")
        return .json(405, failure.httpBody, headers: [("Allow", allowed)])
    }

    // MARK: Answers

    /// Whom an answer goes to, and what they can read.
    struct Recipient {
        let responder: HTTPResponder
        let headers: HTTPHeaders
        let acceptsGzip: Bool

        init(_ request: HTTPRequest, _ responder: HTTPResponder) {
            self.responder = responder
            headers = request.head.headers
            acceptsGzip = ContentCoding.acceptsGzip(request.head.headers)
        }
    }

    /// Bodies from this size on are compressed for those who accept it: below it the head weighs more.
    private static let gzipThreshold = 4096

    func give(_ reply: APIReply, _ recipient: Recipient) {
        switch reply {
        case .json(let status, let json, let headers):
            give(status, "application/json", json.serialize(), headers, recipient)
        case .text(let status, let contentType, let bytes):
            give(status, contentType, bytes, [], recipient)
        case .empty(let status, let headers):
            recipient.responder.respond(status: status, headers: HTTPHeaders(headers))
        case .document(let document): give(document, recipient)
        case .kept(let session, let reply):
            session.whenAnswerable { [self] in
                give(reply, recipient)
            } orElse: { [self] in
                give($0, recipient)
            }
        case .later(let begin):
            begin { [weak self] result in
                switch result {
                case .success(let reply): self?.give(reply, recipient)
                case .failure(let failure): self?.give(failure, recipient)
                }
            }
        case .download(let contentType, let fileName, let source):
            let download = Download(source)
            let headers: HTTPHeaders = [
                "content-type": contentType, "content-disposition": "attachment; filename=\"\(fileName)\"",
                "cache-control": "no-store", "x-content-type-options": "nosniff",
            ]
            guard let stream = recipient.responder.stream(headers: headers, observer: download) else { return }
            download.begin(stream)
        case .eventStream(let identity, let begin):
            let client = EventStreamClient(hub: hub, identity: identity)
            let headers: HTTPHeaders = [
                "content-type": "text/event-stream", "cache-control": "no-store", "x-content-type-options": "nosniff",
            ]
            guard let stream = recipient.responder.stream(headers: headers, observer: client) else { return }
            begin(client, stream)
        }
    }

    private func give(_ failure: Failure, _ recipient: Recipient) {
        give(.json(failure.httpStatus, failure.httpBody), recipient)
    }

    private func give(
        _ status: Int, _ contentType: String, _ body: [UInt8], _ more: [(String, String)], _ recipient: Recipient
    ) {
        var headers: HTTPHeaders = [
            "content-type": contentType, "x-content-type-options": "nosniff", "cache-control": "no-store",
        ]
        for (name, value) in more { headers.append(name, value) }
        var body = body
        if body.count >= APIHandler.gzipThreshold {
            headers.append("vary", "accept-encoding")
            if recipient.acceptsGzip, let packed = ContentCoding.gzip(body) {
                headers.append("content-encoding", "gzip")
                body = packed
            }
        }
        recipient.responder.respond(status: status, headers: headers, body: body)
    }

    func give(_ document: StaticDocument, with more: [(String, String)] = [], _ recipient: Recipient) {
        let packed = recipient.acceptsGzip ? document.packed : nil
        var headers: HTTPHeaders = [
            "content-type": document.contentType, "x-content-type-options": "nosniff", "vary": "accept-encoding",
            // Kept, and asked about each time.
            "cache-control": "no-cache", "etag": document.entityTag(isPacked: packed != nil),
        ]
        for (name, value) in more { headers.append(name, value) }
        if document.isKnown(recipient.headers) { return recipient.responder.respond(status: 304, headers: headers) }
        if packed != nil { headers.append("content-encoding", "gzip") }
        recipient.responder.respond(status: 200, headers: headers, body: packed ?? document.bytes)
    }

    // MARK: Streams

    func requireRoom() throws(Failure) {
        guard hub.clientCount < maxClients else {
            throw Failure(
                code: "too_many_clients",
                message: "\(maxClients) clients are connected, as many as limits.maxClients allows.", recoverable: true)
        }
    }

    /// Not in the router: it answers with an upgrade.
    static var stream: Router.Route {
        Router.Route(method: .get, pattern: ["stream"], query: ["hello"], produces: []) { _ throws(Failure) in
            throw noRoute
        }
    }

    private func acceptStream(_ request: HTTPRequest, _ responder: HTTPResponder) throws(Failure) {
        guard request.head.method == .get else {
            return give(otherMethod(request.head.method, "GET, OPTIONS"), Recipient(request, responder))
        }
        let awaitsHello = try APIHandler.stream.fields(of: request.head).string("hello")
        guard awaitsHello == nil || awaitsHello == "1" else {
            throw Failure(code: "invalid_request", message: "hello is 1.", details: ["field": "hello"])
        }
        try requireRoom()
        let client = StreamClient(hub: hub, awaitsHello: awaitsHello != nil)
        guard
            let connection = responder.acceptWebSocket(client, settings: WebSocketSettings(compresses: compresses))
        else { return }
        client.begin(connection)
    }
}
