import Base
import Glibc
import JSON

/// The built-in agent: speaks the Agent Client Protocol (version 1) as an agent on stdin and stdout, needs no account,
/// and acts out the directives in its prompts (doc/echo.md).
///
/// One thread and poll(2): a cancellation is heard while a message streams.
package enum EchoAgent {
    /// Serves stdin until it ends.
    /// - Returns: the exit code of the process.
    package static func run() -> Int32 {
        signal(SIGPIPE, SIG_IGN)
        let history = History { name in getenv(name).map { String(cString: $0) } }
        let replaysLate = getenv("CODEAI_HUB_ECHO_LATE_REPLAY") != nil
        return Connection(input: 0, output: 1, history: history, replaysLate: replaysLate).run()
    }
}

/// The connection to the client: reads its lines, answers its requests, and lets the sessions go on.
final class Connection {
    let output: Output
    let history: History
    /// The client takes a tool's output in pieces, as `_meta.terminal_output` (a convention of several ACP agents).
    private(set) var takesTerminalOutput = false
    private(set) var takesElicitation = false
    private let input: Int32
    private let replaysLate: Bool
    private var splitter = LineSplitter(limit: 64 * 1024 * 1024)
    private var sessions: [EchoSession] = []
    private var nextRequest = 0
    private var inputHasEnded = false

    init(input: Int32, output: Int32, history: History, replaysLate: Bool) {
        self.input = input
        self.output = Output(fd: output)
        self.history = history
        self.replaysLate = replaysLate
    }

    func run() -> Int32 {
        var buffer = [UInt8](repeating: 0, count: 64 * 1024)
        while !inputHasEnded, !output.isBroken {
            // Never: nothing but the client can make anything happen.
            var wake = Int64.max
            let now = monotonicNow()
            for session in sessions { wake = min(wake, session.advance(now)) }
            output.flush()
            var waiting = [
                pollfd(fd: input, events: Int16(POLLIN), revents: 0),
                pollfd(fd: output.pending > 0 ? output.fd : -1, events: Int16(POLLOUT), revents: 0),
            ]
            if poll(&waiting, 2, Connection.timeout(until: output.isFull ? .max : wake)) > 0, waiting[0].revents != 0 {
                read(into: &buffer)
            }
        }
        output.drain()
        return 0
    }

    private static func timeout(until wake: Int64) -> Int32 {
        guard wake != .max else { return -1 }
        let left = wake - monotonicNow()
        return left <= 0 ? 0 : Int32(clamping: (left + 999_999) / 1_000_000)
    }

    private func read(into buffer: inout [UInt8]) {
        let count = buffer.withUnsafeMutableBytes { Glibc.read(input, $0.baseAddress, $0.count) }
        if count > 0 {
            var lines: [LineSplitter.Line] = []
            buffer.withUnsafeBytes { bytes in
                splitter.feed(UnsafeRawBufferPointer(rebasing: bytes[..<count])) { lines.append($0) }
            }
            for line in lines { handle(line) }
        } else if count == 0 || (errno != EINTR && errno != EAGAIN) {
            inputHasEnded = true
        }
    }

    // MARK: Messages

    private func handle(_ line: LineSplitter.Line) {
        guard case .whole(let bytes) = line else {
            return fail(.null, code: -32700, message: "Parse error: the line is longer than \(splitter.limit) bytes")
        }
        guard !bytes.isEmpty else { return }
        let message: JSON
        do {
            message = try JSON.parse(bytes)
        } catch {
            return fail(.null, code: -32700, message: "Parse error: \(error)")
        }
        guard let method = message["method"]?.stringValue else {
            guard let id = message["id"]?.intValue else { return }
            for session in sessions { session.answered(id, message["result"]) }
            return
        }
        let parameters = message["params"] ?? [:]
        if let id = message["id"] {
            request(id, method, parameters)
        } else if method == "session/cancel" {
            session(parameters)?.cancel()
        }
    }

    private func session(_ parameters: JSON) -> EchoSession? {
        guard let id = parameters["sessionId"]?.stringValue else { return nil }
        return sessions.first { $0.id == id }
    }

    private func request(_ id: JSON, _ method: String, _ parameters: JSON) {
        switch method {
        case "initialize": initialize(id, parameters)
        case "authenticate": respond(id, [:])
        case "session/new": newSession(id, parameters)
        case "session/load": loadSession(id, parameters)
        case "session/prompt", "session/set_mode", "session/set_model", "session/set_config_option":
            guard let session = session(parameters) else {
                return fail(id, code: -32602, message: "Session not found")
            }
            sessionRequest(id, method, parameters, session)
        default: fail(id, code: -32601, message: "Method not found", data: ["method": JSON(method)])
        }
    }

    private func initialize(_ id: JSON, _ parameters: JSON) {
        guard parameters["protocolVersion"]?.intValue != nil else {
            return fail(id, code: -32602, message: "protocolVersion is missing")
        }
        let capabilities = parameters["clientCapabilities"]
        takesTerminalOutput = capabilities?["_meta"]?["terminal_output"]?.boolValue ?? false
        takesElicitation = capabilities?["elicitation"]?["form"]?.objectValue != nil
        respond(
            id,
            [
                "protocolVersion": 1,
                "agentCapabilities": [
                    "loadSession": true,
                    "promptCapabilities": ["image": false, "audio": false, "embeddedContext": true],
                ],
                "authMethods": [], "agentInfo": ["name": "echo", "title": "Echo", "version": "1"],
            ])
    }

    private func newSession(_ id: JSON, _ parameters: JSON) {
        let session = EchoSession(id: "echo-" + hexadecimal(randomBytes(12)), connection: self)
        sessions.append(session)
        history.append(session.id, ["session": ["cwd": parameters["cwd"] ?? .null]])
        respond(id, (["sessionId": JSON(session.id)] as JSONObject).merging(session.state))
    }

    private func loadSession(_ id: JSON, _ parameters: JSON) {
        guard let sessionId = parameters["sessionId"]?.stringValue, let lines = history.read(sessionId) else {
            return fail(id, code: -32002, message: "Session not found", data: parameters["sessionId"] ?? .null)
        }
        sessions.removeAll { $0.id == sessionId }
        let session = EchoSession(id: sessionId, connection: self)
        session.restore(lines)
        sessions.append(session)
        // The protocol wants the history before the answer; some agents send it after.
        if replaysLate { respond(id, session.state) }
        for line in lines where line["sessionUpdate"] != nil {
            if let update = line.objectValue { session.send(update) }
        }
        if !replaysLate { respond(id, session.state) }
    }

    private func sessionRequest(_ id: JSON, _ method: String, _ parameters: JSON, _ session: EchoSession) {
        switch method {
        case "session/prompt":
            var text = ""
            for block in parameters["prompt"]?.arrayValue ?? [] {
                text += block["text"]?.stringValue ?? block["resource"]?["text"]?.stringValue ?? ""
            }
            guard !session.isBusy else { return fail(id, code: -32603, message: "A prompt is being worked on") }
            session.begin(text, requestId: id)
        case "session/set_mode":
            guard let mode = parameters["modeId"]?.stringValue, session.set(mode: mode) else {
                return fail(id, code: -32602, message: "Unknown mode")
            }
            respond(id, [:])
        case "session/set_model":
            guard let model = parameters["modelId"]?.stringValue, session.set(model: model) else {
                return fail(id, code: -32602, message: "Unknown model")
            }
            respond(id, [:])
        default:
            let value = parameters["value"]?.stringValue ?? ""
            let isSet =
                switch parameters["configId"]?.stringValue {
                case "mode": session.set(mode: value)
                case "model": session.set(model: value)
                default: false
                }
            guard isSet else { return fail(id, code: -32602, message: "Unknown option or value") }
            respond(id, ["configOptions": session.configOptions])
        }
    }

    // MARK: Answers and requests

    func respond(_ id: JSON, _ result: JSONObject) {
        output.line(["jsonrpc": "2.0", "id": id, "result": .object(result)])
    }

    func fail(_ id: JSON, code: Int, message: String, data: JSON? = nil) {
        var error: JSONObject = ["code": JSON(code), "message": JSON(message)]
        error["data"] = data
        output.line(["jsonrpc": "2.0", "id": id, "error": .object(error)])
    }

    /// Asks the client; the answer comes to the sessions' `answered`.
    func ask(_ method: String, _ parameters: JSONObject) -> Int {
        let id = nextRequest
        nextRequest += 1
        output.line(["jsonrpc": "2.0", "id": JSON(id), "method": JSON(method), "params": .object(parameters)])
        return id
    }
}
