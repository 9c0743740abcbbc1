import Base
import EventLoop
package import JSON

/// A client of the daemon: requests over HTTP, and streams.
///
/// ```swift
/// let home = try HubHome.standard()
/// _ = try await DaemonLauncher(home: home).ensureRunning()
/// let client = try HubClient(home: home)
/// let session = try await client.call("POST", "/sessions", bodyText: #"{"providerId":"echo"}"#)
/// ```
///
/// It has a thread of its own, which ends with `close()` or with the last reference.
public final class HubClient: Sendable {
    private let loop: EventLoop
    private let http: LoopBound<HTTPConnection>
    private let locate: @Sendable () throws(HubError) -> HubEndpoint

    /// - Parameter locate: says where the daemon is, each time a connection is made: a daemon that was started again
    ///   can be at another port.
    /// - Throws: `launchFailed` when the system refuses a thread.
    public init(locate: @escaping @Sendable () throws(HubError) -> HubEndpoint) throws(HubError) {
        do throws(SystemError) {
            loop = try EventLoop.startThread(name: "hub-client")
        } catch {
            throw HubError(.launchFailed, "cannot start the client's thread: \(error)")
        }
        self.locate = locate
        http = LoopBound(HTTPConnection(loop: loop, locate: locate), loop: loop)
    }

    /// A daemon that stays where it is.
    /// - Throws: `launchFailed` when the system refuses a thread.
    public convenience init(endpoint: HubEndpoint) throws(HubError) {
        try self.init(locate: { endpoint })
    }

    /// The daemon of a home folder, wherever it is at the time.
    /// - Throws: `launchFailed` when the system refuses a thread. Not when no daemon runs: that is found out when a
    ///   connection is made.
    public convenience init(home: HubHome) throws(HubError) {
        try self.init(locate: { () throws(HubError) in try HubEndpoint.discover(home: home) })
    }

    deinit { close() }

    /// Ends the thread; requests that wait fail with `closed`.
    public func close() {
        let (http, loop) = (http, loop)
        loop.submit {
            http.value.close()
            loop.stop()
        }
    }

    /// Sends a request and waits for the whole answer, whatever its status.
    ///
    /// - Parameters:
    ///   - method: in capitals, one of those that HTTP defines for resources.
    ///   - path: below the daemon's root, with its query, percent-encoded: `/api/v1/sessions?limit=5`.
    ///   - body: JSON text, unless `headers` has another `content-type`.
    ///   - headers: beside the library's own, or in place of them.
    ///   - timeout: from the call to the last byte of the answer, waiting for earlier requests not included.
    /// - Throws: `noDaemon`, `connectionLost`, `timeout`, `invalidAnswer`, `closed`. Not for an error status.
    public func request(
        _ method: String, _ path: String, body: [UInt8]? = nil, headers: [(String, String)] = [],
        timeout: Duration = .seconds(30)
    ) async throws(HubError) -> HTTPResult {
        try await answer { answer in
            HTTPConnection.Request(
                method: method, target: path, headers: headers, body: body, timeout: timeout, answer: answer)
        }
    }

    /// Gets a body of any length part by part; `onBody` is called on the client's thread, for status 200 only. What is
    /// slow there slows the daemon's sending down.
    ///
    /// - Returns: the answer; without its body when that was handed on.
    /// - Throws: as `request`; parts may have come by then.
    public func download(
        _ path: String, timeout: Duration, onBody: @escaping @Sendable (UnsafeRawBufferPointer) -> Void
    ) async throws(HubError) -> HTTPResult {
        try await answer { answer in
            HTTPConnection.Request(
                method: "GET", target: path, headers: [], body: nil, timeout: timeout, onBody: onBody, answer: answer)
        }
    }

    /// As `request`, for routes below `/api/v1`, with JSON both ways.
    ///
    /// - Throws: also `rejected`, for a status that is not 2xx.
    @discardableResult
    package func call(
        _ method: String, _ path: String, _ body: JSON? = nil, timeout: Duration = .seconds(30)
    ) async throws(HubError) -> JSON {
        try await request(method, "/api/v1" + path, body: body?.serialize(), timeout: timeout).json()
    }

    /// As `request`, for routes below `/api/v1`, with JSON as text both ways: for code outside this package.
    ///
    /// - Parameters:
    ///   - path: below `/api/v1`, with its query, percent-encoded: `/sessions?limit=5`.
    ///   - bodyText: a JSON text; nil for a request without a body.
    /// - Returns: the answer's JSON text, `null` when there is none.
    /// - Throws: as `request`, and `rejected` for a status that is not 2xx: the daemon's own code is in `answer`.
    @discardableResult
    public func call(
        _ method: String, _ path: String, bodyText: String?, timeout: Duration = .seconds(30)
    ) async throws(HubError) -> String {
        let result = try await request(
            method, "/api/v1" + path, body: bodyText.map { Array($0.utf8) }, timeout: timeout)
        return try result.json().description
    }

    private func answer(
        to request: @escaping @Sendable (@escaping HTTPConnection.Answer) -> HTTPConnection.Request
    ) async throws(HubError) -> HTTPResult {
        let (http, loop) = (http, loop)
        let result: Result<HTTPResult, HubError> = await withCheckedContinuation { continuation in
            loop.submit { http.value.send(request { continuation.resume(returning: $0) }) }
        }
        return try result.get()
    }

    /// Opens a stream; returns when its first connection stands.
    ///
    /// - Throws: `noDaemon` and what else keeps the first connection from being made.
    public func openStream(_ options: StreamOptions = StreamOptions()) async throws(HubError) -> HubStream {
        try await HubStream(loop: loop, options: options, locate: locate)
    }
}
