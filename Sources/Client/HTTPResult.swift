package import JSON

/// An answer of the daemon.
public struct HTTPResult: Sendable {
    /// The HTTP status, from 200 on.
    public let status: Int
    /// As they came, in their order; names in lower case.
    public let headers: [(name: String, value: String)]
    /// Decoded from its transfer coding.
    public let body: [UInt8]

    /// The body as text; what is no UTF-8 in it is replaced.
    public var text: String { String(decoding: body, as: UTF8.self) }
    /// A status of 2xx.
    public var isSuccess: Bool { (200..<300).contains(status) }

    /// The body as JSON; `null` when it is empty.
    ///
    /// - Throws: `rejected` with the daemon's code when the status is not 2xx, `invalidAnswer` when the body is no JSON.
    package func json() throws(HubError) -> JSON {
        let json = body.isEmpty ? JSON.null : try? JSON.parse(body)
        guard isSuccess else {
            let error = json?["error"]
            throw HubError(
                .rejected, error?["message"]?.stringValue ?? "the daemon answered with status \(status)",
                answer: error?["code"]?.stringValue, status: status)
        }
        guard let json else { throw HubError(.invalidAnswer, "the daemon's answer is no JSON") }
        return json
    }
}
