import HTTP1
import HubProtocol
import JSON

/// Media types of what comes in and of what may be sent out (RFC 9110 sections 8.3 and 12.5.1).
enum MediaTypes {
    static let json = "application/json"
    static let eventStream = "text/event-stream"
    static let text = "text/plain"

    /// Whether an `Accept` field allows the type. Without one everything is allowed; of several ranges that cover a type
    /// the most exact counts.
    static func accepts(_ headers: HTTPHeaders, _ type: String) -> Bool {
        var best = (exactness: -1, isWanted: true)
        var isEmpty = true
        let family = type.prefix { $0 != "/" } + "/*"
        for value in headers.values("accept") {
            for element in value.split(separator: ",") {
                isEmpty = false
                let parts = element.lowercased().split(separator: ";").map(\.trimmed)
                guard let range = parts.first else { continue }
                let exactness = range == type ? 2 : range == family ? 1 : range == "*/*" ? 0 : -1
                guard exactness > best.exactness else { continue }
                let weight = parts.first { $0.hasPrefix("q=") }.map { Double($0.dropFirst(2)) ?? 0 }
                best = (exactness, (weight ?? 1) > 0)
            }
        }
        return isEmpty || (best.exactness >= 0 && best.isWanted)
    }

    /// - Parameter offered: what the route can answer with; empty where there is nothing in an answer.
    static func requireAcceptable(_ headers: HTTPHeaders, _ offered: [String]) throws(Failure) {
        guard !offered.isEmpty, !offered.contains(where: { accepts(headers, $0) }) else { return }
        throw Failure(
            code: "not_acceptable",
            message: "The answer is \(offered.joined(separator: " or ")), which the Accept field doesn't allow.")
    }

    /// A body that says nothing of its type is taken for JSON.
    static func requireJSON(_ headers: HTTPHeaders) throws(Failure) {
        let type = (headers["content-type"] ?? json).lowercased().prefix { $0 != ";" }.trimmed
        let coding = (headers["content-encoding"] ?? "identity").lowercased()[...].trimmed
        guard type == json, coding == "identity" else {
            throw Failure(
                code: "unsupported_media_type",
                message: "The body must be JSON as it is: Content-Type: application/json, no Content-Encoding.")
        }
    }
}
