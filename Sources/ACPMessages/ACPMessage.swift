package import JSON

/// An error answer of JSON-RPC 2.0.
package struct ACPError: Error, Equatable, Sendable {
    package var code: Int
    package var message: String
    package var data: JSON?

    package init(code: Int, message: String, data: JSON? = nil) {
        self.code = code
        self.message = message
        self.data = data
    }

    package static func methodNotFound(_ method: String) -> ACPError {
        ACPError(code: -32601, message: "Method not found", data: ["method": JSON(method)])
    }

    package static func invalidParameters(_ message: String) -> ACPError { ACPError(code: -32602, message: message) }

    /// ACP's code: somebody has to log in first.
    package static let authenticationRequired = -32000

    /// ACP's code for what there is not.
    package static let notFound = -32002

    package static func internalError(_ message: String) -> ACPError { ACPError(code: -32603, message: message) }

    /// What the specification of `$/cancel_request` has a cancelled request answered with.
    package static let requestCancelled = ACPError(code: -32800, message: "Request cancelled")
}

/// One message of JSON-RPC 2.0, a line of an agent's or an editor's.
package enum ACPMessage: Equatable, Sendable {
    case request(id: JSON, method: String, params: JSON)
    case notification(method: String, params: JSON)
    case result(id: JSON, JSON)
    case failure(id: JSON, ACPError)
    /// No message: what the line said, made readable and cut to 4 KiB, and its length in bytes.
    case unparsed(text: String, length: Int)

    /// Reads a line. Blank ones say nothing, a batch says several things.
    package static func read(_ line: [UInt8]) -> [ACPMessage] {
        guard line.contains(where: { $0 != 0x20 && $0 != 0x09 && $0 != 0x0d }) else { return [] }
        guard let json = try? JSON.parse(line) else { return [unparsed(line, length: line.count)] }
        guard case .array(let batch) = json else { return [message(json) ?? unparsed(line, length: line.count)] }
        let messages = batch.compactMap { message($0) }
        return messages.isEmpty || messages.count < batch.count
            ? messages + [unparsed(line, length: line.count)] : messages
    }

    /// - Parameter length: of the whole line, when `start` is only its beginning.
    package static func unparsed(_ start: [UInt8], length: Int) -> ACPMessage {
        .unparsed(text: String(decoding: start.prefix(4096), as: UTF8.self), length: length)
    }

    private static func message(_ json: JSON) -> ACPMessage? {
        guard case .object(let object) = json else { return nil }
        if let method = object["method"]?.stringValue {
            let params = object["params"] ?? [:]
            if let id = object["id"], !id.isNull { return .request(id: id, method: method, params: params) }
            return .notification(method: method, params: params)
        }
        if let error = object["error"]?.objectValue {
            return .failure(
                id: object["id"] ?? .null,
                ACPError(
                    code: error["code"]?.intValue ?? -32603,
                    message: error["message"]?.stringValue ?? "No reason was given",
                    data: error["data"].flatMap { $0.isNull ? nil : $0 }))
        }
        if let id = object["id"], let result = object["result"] { return .result(id: id, result) }
        return nil
    }

    // MARK: Writing: a line, its end included

    package static func request(_ id: Int, _ method: String, _ params: JSONObject) -> [UInt8] {
        line(["jsonrpc": "2.0", "id": JSON(id), "method": JSON(method), "params": .object(params)])
    }

    package static func notification(_ method: String, _ params: JSONObject) -> [UInt8] {
        line(["jsonrpc": "2.0", "method": JSON(method), "params": .object(params)])
    }

    package static func answer(_ id: JSON, _ result: JSONObject) -> [UInt8] {
        line(["jsonrpc": "2.0", "id": id, "result": .object(result)])
    }

    package static func answer(_ id: JSON, _ error: ACPError) -> [UInt8] {
        var object: JSONObject = ["code": JSON(error.code), "message": JSON(error.message)]
        object["data"] = error.data
        return line(["jsonrpc": "2.0", "id": id, "error": .object(object)])
    }

    private static func line(_ object: JSONObject) -> [UInt8] {
        var bytes: [UInt8] = []
        object.serialize(into: &bytes)
        bytes.append(0x0a)
        return bytes
    }
}
