package import JSON

/// One line of `codex app-server`: JSON-RPC 2.0 without its `jsonrpc` member. Requests of the server have a number
/// space of their own, which starts at 0.
package enum CodexMessage: Equatable, Sendable {
    case request(id: JSON, method: String, params: JSON)
    case notification(method: String, params: JSON)
    case result(id: Int, JSON)
    case failure(id: Int, CodexError)
    /// No message: what the line said, cut to `unparsedLimit`, and its length in bytes.
    case unparsed(text: String, length: Int)
    /// Longer than the limit of a line; how it began.
    case oversized(start: String, length: Int)

    /// Bytes kept of a line that could not be read.
    static let unparsedLimit = 8 * 1024

    /// Reads a line of the server's stdout, without its end; nil for a blank one.
    package static func read(_ line: [UInt8]) -> CodexMessage? {
        if line.allSatisfy({ $0 == 0x20 || $0 == 0x09 }) { return nil }
        guard let json = try? JSON.parse(line), let message = message(json) else {
            return .unparsed(
                text: String(decoding: line.prefix(unparsedLimit), as: UTF8.self), length: line.count)
        }
        return message
    }

    private static func message(_ json: JSON) -> CodexMessage? {
        guard case .object(let object) = json else { return nil }
        if let method = object["method"]?.stringValue {
            let params = object["params"] ?? [:]
            if let id = object["id"], !id.isNull { return .request(id: id, method: method, params: params) }
            return .notification(method: method, params: params)
        }
        guard let id = object["id"]?.intValue else { return nil }
        if let error = object["error"], !error.isNull {
            return .failure(
                id: id,
                CodexError(
                    code: error["code"]?.intValue ?? 0, message: error["message"]?.stringValue ?? "no reason given",
                    data: error["data"]))
        }
        return object["result"].map { .result(id: id, $0) }
    }

    /// The thread that a request or notification is about.
    package var threadId: String? {
        switch self {
        case .request(_, _, let params), .notification(_, let params):
            params["threadId"]?.stringValue ?? params["thread"]?["id"]?.stringValue
        default: nil
        }
    }

    // MARK: Writing

    static func request(_ id: Int, _ method: String, _ params: JSONObject) -> [UInt8] {
        line(["id": JSON(id), "method": JSON(method), "params": .object(params)])
    }

    static func notification(_ method: String) -> [UInt8] { line(["method": JSON(method)]) }

    static func answer(_ id: JSON, _ result: JSON) -> [UInt8] { line(["id": id, "result": result]) }

    static func refusal(_ id: JSON, _ reason: String) -> [UInt8] {
        line(["id": id, "error": ["code": -32601, "message": JSON(reason)]])
    }

    private static func line(_ object: JSONObject) -> [UInt8] {
        var bytes: [UInt8] = []
        object.serialize(into: &bytes)
        bytes.append(0x0a)
        return bytes
    }
}

/// An error answer of the server. Nearly all are -32600, so that only the words tell them apart.
package struct CodexError: Error, Equatable, Sendable {
    package var code: Int
    package var message: String
    package var data: JSON?

    package init(code: Int, message: String, data: JSON? = nil) {
        self.code = code
        self.message = message
        self.data = data
    }
}
