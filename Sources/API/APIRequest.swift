import HTTP1
import HubProtocol
import JSON
import Server
import Sessions

/// A request as the routes see it.
struct APIRequest {
    let method: HTTPMethod
    /// The variable parts of the path, in order.
    let parameters: [String]
    let query: Fields
    let headers: HTTPHeaders
    let body: [UInt8]
    /// A body that was not collected.
    let upload: LogUpload?
    let client: ClientIdentity

    func fields() throws(Failure) -> Fields {
        if !body.isEmpty { try MediaTypes.requireJSON(headers) }
        return try Fields(body: body)
    }
}

/// What a route answers.
enum APIReply {
    case json(Int, JSON, headers: [(String, String)] = [])
    case text(Int, contentType: String, [UInt8])
    case empty(Int, headers: [(String, String)] = [])
    /// What never changes while the daemon runs.
    case document(StaticDocument)
    /// The answer is given only when the session's log has kept what was done.
    indirect case kept(Session, APIReply)
    /// The answer needs something that takes time; the closure is called with the function that gives it.
    case later((@escaping (Result<APIReply, Failure>) -> Void) -> Void)
    /// An answer made piece by piece, as the client takes it.
    case download(contentType: String, fileName: String, Download.Source)
    /// A stream of server-sent events.
    case eventStream(ClientIdentity, (EventStreamClient, ResponseStream) -> Void)
}

extension Failure {
    /// The HTTP status of an error, by its code.
    var httpStatus: Int {
        switch code {
        case "invalid_json", "invalid_request", "missing_field", "unknown_type", "invalid_log": 400
        case "token_required": 401
        case "origin_not_allowed", "forbidden", "setting_privileged": 403
        case "not_found", "session_not_found", "request_not_found", "provider_not_found",
            "native_session_not_found", "workspace_not_found":
            404
        case "method_not_allowed": 405
        case "not_acceptable": 406
        case "already_resolved", "busy", "already_started", "turn_not_queued", "nothing_to_retry",
            "provider_not_installed", "provider_disabled", "provider_too_old", "unknown_adapter", "not_installed",
            "not_installing", "no_login", "no_install_recipe", "install_requirement_missing", "budget_exceeded",
            "not_importable", "configuration_broken", "restart_refused":
            409
        case "payload_too_large": 413
        case "unsupported_media_type": 415
        case "wrong_host": 421
        case "too_many_requests": 429
        case "log_unavailable", "outcome_pending", "search_unavailable", "shutting_down", "too_many_clients": 503
        default: 500
        }
    }

    var httpBody: JSON {
        var error: JSONObject = ["code": JSON(code), "message": JSON(message)]
        var details = self.details
        if let retryAfter { details["retryAfter"] = JSON(retryAfter) }
        if !details.isEmpty { error["details"] = .object(details) }
        return ["error": .object(error)]
    }
}
