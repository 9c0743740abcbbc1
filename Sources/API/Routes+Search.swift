import HTTP1
import HubProtocol
import JSON
import Search
import Sessions

/// Finding sessions by what was said in them.
extension APIHandler {
    func addSearchRoutes(to router: inout Router) {
        router.add(.get, "search", query: ["q", "limit", "after", "sessionId"]) { [self] request throws(Failure) in
            let search = try SearchCommand(query: request.query)
            let hub = hub
            return .later { done in
                do throws(Failure) {
                    try search.run(hub) { done($0.map { .json(200, .object($0)) }) }
                } catch {
                    done(.failure(error))
                }
            }
        }
    }
}

/// What HTTP and the WebSocket both let clients look for.
struct SearchCommand {
    private var request: SearchRequest

    static let limits = 1...100
    private static let defaultLimit = 20

    /// Of a frame: `{q, limit?, after?, sessionId?}`.
    init(_ fields: Fields) throws(Failure) {
        try self.init(fields, limit: fields.int("limit", in: SearchCommand.limits))
    }

    /// The same in a query, where numbers are text.
    init(query: Fields) throws(Failure) {
        try self.init(query, limit: query.number("limit", in: SearchCommand.limits))
    }

    private init(_ fields: Fields, limit: Int?) throws(Failure) {
        var before: Int64?
        if let after = try fields.string("after") {
            guard after.utf8.count <= 18, after.utf8.allSatisfy({ (0x30...0x39).contains($0) }),
                let cursor = Int64(after)
            else {
                throw Failure(
                    code: "invalid_request", message: "after must be the next of the page before.",
                    details: ["field": "after"])
            }
            before = cursor
        }
        request = SearchRequest(
            try SearchQuery(fields.requiredString("q")), in: try fields.string("sessionId"), before: before,
            limit: limit ?? SearchCommand.defaultLimit)
    }

    /// `{results, next?, timedOut?, indexing?}`.
    func run(_ hub: StreamHub, _ done: @escaping (Result<JSONObject, Failure>) -> Void) throws(Failure) {
        let service = hub.service
        if let sessionId = request.sessionId, service.state(of: sessionId) == nil {
            throw Failure(code: "session_not_found", message: "There is no session \(sessionId.prefix(64)).")
        }
        guard let index = hub.search else {
            throw Failure(
                code: "search_unavailable", message: "Search is switched off: set search.enabled in the configuration.")
        }
        index.search(request) { result in done(result.map { SearchCommand.json($0, service) }) }
    }

    private static func json(_ answer: SearchAnswer, _ service: SessionService) -> JSONObject {
        var results: [JSON] = []
        for match in answer.matches {
            // Deleted a moment ago: the index hears of it after us.
            guard let state = service.state(of: match.sessionId) else { continue }
            var result = match.json
            result["title"] = state.title.map { JSON($0) } ?? .null
            results.append(.object(result))
        }
        var object: JSONObject = ["results": .array(results)]
        object["next"] = answer.next.map { JSON(String($0)) }
        if !answer.isComplete { object["timedOut"] = true }
        object["indexing"] = answer.indexing?.json
        return object
    }
}
