import HTTP1
import HubProtocol
import JSON

/// The table of routes: method and path pattern to what is done. A `*` in a pattern is one variable part.
struct Router {
    typealias Handler = (APIRequest) throws(Failure) -> APIReply

    struct Route {
        let method: HTTPMethod
        let pattern: [String]
        let handler: Handler
    }

    private(set) var routes: [Route] = []

    mutating func add(_ method: HTTPMethod, _ pattern: String, _ handler: @escaping Handler) {
        routes.append(Route(method: method, pattern: pattern.split(separator: "/").map(String.init), handler: handler))
    }

    enum Match {
        case found(Handler, parameters: [String])
        /// The path exists, for these methods.
        case wrongMethod(allowed: [HTTPMethod])
        case notFound
    }

    func match(_ method: HTTPMethod, _ segments: [String]) -> Match {
        // HEAD is GET without the body (RFC 9110 section 9.3.2).
        let wanted = method == .head ? .get : method
        var allowed: [HTTPMethod] = []
        for route in routes {
            guard let parameters = route.parameters(in: segments) else { continue }
            if route.method == wanted { return .found(route.handler, parameters: parameters) }
            allowed.append(route.method)
        }
        return allowed.isEmpty ? .notFound : .wrongMethod(allowed: allowed)
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
}
