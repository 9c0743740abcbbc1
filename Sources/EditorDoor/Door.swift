import ACPMessages
import Client
import EventLoop
import JSON

/// What the editor asks, and the sessions that it has open. Loop-confined.
final class Door {
    let options: EditorDoor.Options
    let editor: EditorConnection
    let link: HubLink
    let loop: EventLoop
    var capabilities = EditorCapabilities()
    /// By the daemon's own identifiers, which are the editor's too.
    var sessions: [String: DoorSession] = [:]
    private var onEnd: () -> Void = {}

    init(_ options: EditorDoor.Options, editor: EditorConnection, link: HubLink, loop: EventLoop) {
        self.options = options
        self.editor = editor
        self.link = link
        self.loop = loop
    }

    /// - Parameter onEnd: once, when the editor has gone.
    func start(_ onEnd: @escaping () -> Void) {
        self.onEnd = onEnd
        // These hold the door until the editor goes.
        editor.onRequest = { self.take($0) }
        editor.onNotification = { self.take(notification: $0, $1) }
        editor.onEnd = { self.end() }
        editor.start()
    }

    private func end() {
        editor.onRequest = { _ in }
        editor.onNotification = { _, _ in }
        for session in sessions.values { session.close() }
        sessions = [:]
        editor.close()
        link.close()
        onEnd()
    }

    // MARK: Dispatch

    private func take(_ request: EditorRequest) {
        do throws(ACPError) {
            switch request.method {
            case "initialize": try initialize(request)
            case "authenticate": try authenticate(request)
            case "session/new": try newSession(request)
            case "session/load": try openSession(request, replays: true)
            case "session/resume": try openSession(request, replays: false)
            case "session/fork": try forkSession(request)
            case "session/list": try listSessions(request)
            case "session/close": try session(of: request).endedByEditor(request)
            case "session/delete": try deleteSession(request)
            case "session/prompt": try session(of: request).prompt(request)
            case "session/set_mode":
                try session(of: request).choose(.mode, try request.text("modeId"), request) { _ in [:] }
            case "session/set_model":
                try session(of: request).choose(.model, try request.text("modelId"), request) { _ in [:] }
            case "session/set_config_option":
                guard let option = SessionChoices.Option(rawValue: try request.text("configId")) else {
                    throw ACPError.invalidParameters("There is no option \(try request.text("configId"))")
                }
                try session(of: request).choose(option, try request.text("value"), request) {
                    ["configOptions": $0.configOptions]
                }
            default: throw ACPError.methodNotFound(request.method)
            }
        } catch {
            request.fail(error)
        }
    }

    private func take(notification method: String, _ params: JSON) {
        switch method {
        case "session/cancel":
            guard let id = params["sessionId"]?.stringValue else { return }
            sessions[id]?.cancel()
        case "$/cancel_request":
            guard let id = params["requestId"] else { return }
            for session in sessions.values { session.cancel(requestId: id) }
        default: break
        }
    }

    private func session(of request: EditorRequest) throws(ACPError) -> DoorSession {
        let id = try request.text("sessionId")
        guard let session = sessions[id] else { throw .sessionNotFound(id) }
        return session
    }

    // MARK: The beginning

    private func initialize(_ request: EditorRequest) throws(ACPError) {
        guard request.params["protocolVersion"]?.intValue != nil else {
            throw .invalidParameters("protocolVersion is missing, or no number")
        }
        capabilities = EditorCapabilities(request.params["clientCapabilities"])
        let info = request.params["clientInfo"]
        let name = (info?["title"] ?? info?["name"])?.stringValue ?? "ACP editor"
        link.introduce(name: Door.printable(name), version: Door.printable(info?["version"]?.stringValue ?? "0"))
        request.succeed([
            "protocolVersion": 1,
            "agentCapabilities": [
                "loadSession": true,
                // What an agent can't take is mentioned to it by the daemon.
                "promptCapabilities": ["image": true, "audio": false, "embeddedContext": true],
                "mcpCapabilities": ["http": false, "sse": false],
                "sessionCapabilities": ["list": [:], "resume": [:], "fork": [:], "close": [:], "delete": [:]],
            ],
            "authMethods": [
                [
                    "id": "hub", "name": "Log in to the agent",
                    "description": "In a terminal: codeai-hub providers login ID",
                ]
            ],
            "agentInfo": ["name": "codeai-hub", "title": "CodeAI Hub", "version": JSON(clientVersion)],
        ])
    }

    /// Only what may stand in a header, as which the name goes to the daemon.
    private static func printable(_ text: String) -> String {
        String(
            text.unicodeScalars.filter { (0x20..<0x7f).contains($0.value) && $0 != "/" }.prefix(64).map(Character.init))
    }

    /// The vendors' logins need a terminal; here it can only be seen whether one was made meanwhile.
    private func authenticate(_ request: EditorRequest) throws(ACPError) {
        guard request.params["methodId"] == "hub" else {
            throw .invalidParameters("There is no authentication method \(request.params["methodId"] ?? .null)")
        }
        chooseProvider(request) { [link] providerId in
            link.call("POST", "/providers/\(PathPart.encode(providerId))/check") { result in
                switch result {
                case .success(let record):
                    guard record["authenticated"]?.boolValue == false else { return request.succeed() }
                    let hint = record["login"]?["hint"]?.stringValue
                    let way = "In a terminal: codeai-hub providers login \(providerId)"
                    request.fail(ACPError(code: ACPError.authenticationRequired, message: hint ?? way))
                case .failure(let error): request.fail(ACPError(error))
                }
            }
        }
    }

    /// The provider of new sessions; a failure is the request's answer.
    func chooseProvider(_ request: EditorRequest, _ body: @escaping (String) -> Void) {
        let named = request.params["_meta"]?["codeai-hub"]?["providerId"]?.stringValue ?? options.providerId
        if let named { return body(named) }
        link.chooseProvider { result in
            switch result {
            case .success(let providerId): body(providerId)
            case .failure(let error): request.fail(ACPError(error))
            }
        }
    }
}

/// What the editor says it can do, as far as it matters here.
struct EditorCapabilities {
    /// Shows forms for questions (`elicitation/create`).
    var takesForms = false
    /// Takes a tool's output in pieces, as `_meta.terminal_output`: no part of ACP, but of several editors.
    var takesTerminalOutput = false

    init() {}

    init(_ announced: JSON?) {
        takesForms = announced?["elicitation"]?["form"]?.objectValue != nil
        takesTerminalOutput = announced?["_meta"]?["terminal_output"]?.boolValue ?? false
    }
}

enum PathPart {
    /// Percent-encodes everything but the unreserved characters (RFC 3986 section 2.3). What would be a step in a path,
    /// `.` and `..`, names no session.
    static func encode(_ text: String) -> String {
        if text == "." || text == ".." || text.isEmpty { return "%00" }
        return escaped(text)
    }

    /// The same for a path, whose slashes stay.
    static func encode(path: String) -> String {
        path.split(separator: "/", omittingEmptySubsequences: false).map { escaped(String($0)) }.joined(separator: "/")
    }

    private static func escaped(_ text: String) -> String {
        var result = ""
        for byte in text.utf8 {
            switch byte {
            case 0x30...0x39, 0x41...0x5a, 0x61...0x7a, 0x2d, 0x2e, 0x5f, 0x7e:
                result.unicodeScalars.append(Unicode.Scalar(byte))
            default:
                let digits = String(byte, radix: 16, uppercase: true)
                result += (digits.utf8.count < 2 ? "%0" : "%") + digits
            }
        }
        return result
    }
}
