import HTTP1
import HubProtocol
import JSON

/// The table of routes: method and path pattern to what is done. A `*` in a pattern is one variable part.
struct Router {
    typealias Handler = (APIRequest) throws(Failure) -> APIReply

    struct Route {
        let method: HTTPMethod
        let pattern: [String]
        /// The names of the parameters that a query may have.
        let query: Set<String>
        /// The media types of its answers.
        let produces: [String]
        let handler: Handler
    }

    private(set) var routes: [Route] = []

    /// Every route is described in scripts/api/routes.py, too: a test compares the two.
    /// - Parameters:
    ///   - query: parameters that are accepted; any other is refused, since one that is passed over unnoticed (a
    ///     misspelt cursor) would give an answer to another question.
    ///   - produces: empty for answers without a body.
    mutating func add(
        _ method: HTTPMethod, _ pattern: String, query: Set<String> = [], produces: [String] = [MediaTypes.json],
        _ handler: @escaping Handler
    ) {
        routes.append(
            Route(
                method: method, pattern: pattern.split(separator: "/").map(String.init), query: query,
                produces: produces, handler: handler))
    }

    enum Match {
        case found(Route, parameters: [String])
        /// The path exists, for these methods.
        case otherMethods(String)
        case notFound
    }

    func match(_ method: HTTPMethod, _ segments: [String]) -> Match {
        // HEAD is GET without the body (RFC 9110 section 9.3.2).
        let wanted = method == .head ? .get : method
        var allowed: [HTTPMethod] = []
        // The path that names most by itself is meant: `sessions/import` is no session.
        var fewest = Int.max
        var match: (Route, [String])?
        for route in routes {
            guard let parameters = route.parameters(in: segments), parameters.count <= fewest else { continue }
            if parameters.count < fewest {
                fewest = parameters.count
                (allowed, match) = ([], nil)
            }
            if route.method == wanted { match = (route, parameters) }
            allowed.append(route.method)
        }
        if let (route, parameters) = match { return .found(route, parameters: parameters) }
        return allowed.isEmpty ? .notFound : .otherMethods(Router.allow(allowed))
    }

    /// The value of an `Allow` field.
    static func allow(_ methods: [HTTPMethod]) -> String {
        let names = methods.flatMap { $0 == .get ? ["GET", "HEAD"] : [$0.description] }
        return (names + ["OPTIONS"]).joined(separator: ", ")
    }
}

extension Router.Route {
    func parameters(in segments: [String]) -> [String]? {
        guard segments.count == pattern.count else { return nil }
        var parameters: [String] = []
        for (part, segment) in zip(pattern, segments) {
            if part == "*" {
                parameters.append(segment)
            } else if part != segment {
                return nil
            }
        }
        return parameters
    }

    /// The fields of a query, each once and each one that the route knows.
    func fields(of head: HTTPRequestHead) throws(Failure) -> Fields {
        let items: [QueryItems.Item]
        do throws(QueryItems.Invalid) {
            items = try QueryItems(head.query).items
        } catch {
            throw Failure(code: "invalid_request", message: "The query is not valid: \(error.message).")
        }
        var object = JSONObject()
        for item in items {
            guard query.contains(item.name), object[item.name] == nil else { throw refusal(of: item.name) }
            object[item.name] = JSON(item.value)
        }
        return Fields(object)
    }

    private func refusal(of name: String) -> Failure {
        let known = query.isEmpty ? "none" : query.sorted().joined(separator: ", ")
        let name = String(name.prefix(64))
        return Failure(
            code: "invalid_request",
            message: query.contains(name)
                ? "The query has \(name) twice." : "There is no parameter \"\(name)\" here; there are: \(known).",
            details: ["field": JSON(name)])
    }
}
