import ACPMessages
import Client
import JSON

extension ACPError {
    /// What the daemon, or the way to it, said.
    init(_ error: HubError) {
        var data: JSONObject = ["code": JSON(error.answer ?? error.code.rawValue)]
        data["status"] = error.status.map { JSON($0) }
        let code =
            switch (error.answer, error.status) {
            case ("authentication_failed"?, _): ACPError.authenticationRequired
            case (_, 404?): ACPError.notFound
            case (_, 400?), (_, 413?): -32602
            default: -32603
            }
        self.init(code: code, message: error.message, data: .object(data))
    }

    /// What a turn failed with: the data of the log's `error`.
    init(turnFailure: JSONObject?) {
        let code = turnFailure?["code"]?.stringValue ?? "provider_error"
        var data: JSONObject = ["code": JSON(code)]
        for name in ["recoverable", "retryAfter", "actions"] { data[name] = turnFailure?[name] }
        self.init(
            code: code == "authentication_failed" ? ACPError.authenticationRequired : -32603,
            message: turnFailure?["message"]?.stringValue ?? "The turn failed and nobody said why", data: .object(data))
    }

    static func sessionNotFound(_ id: String) -> ACPError {
        ACPError(code: notFound, message: "There is no session \(id) here: session/load it first")
    }
}
