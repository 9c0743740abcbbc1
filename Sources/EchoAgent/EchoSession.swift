import Base
import JSON

/// One conversation: its settings, the turn that runs, and what is due after it.
final class EchoSession {
    let id: String
    unowned let connection: Connection

    private(set) var mode = "default"
    private(set) var model = "small"
    var inputTokens = 0
    var outputTokens = 0
    var cost = 0.0
    /// Titles of permissions that were granted or refused for good.
    var standingAnswers: [String: String] = [:]
    var turn: Turn?
    /// Said when their time comes, whether a turn runs or not.
    var later: [(due: Int64, text: String)] = []
    /// What is being said right now; it becomes one entry of the history.
    private var open: (kind: String, messageId: String, text: String, meta: JSON?)?
    private var count = 0
    /// What was to be acted out once, and was.
    private var actedOut: Set<String> = []
    private var turns = 0

    init(id: String, connection: Connection) {
        self.id = id
        self.connection = connection
    }

    var isBusy: Bool { turn != nil }
    var isFirstTurn: Bool { turns == 1 }

    // MARK: Settings

    private static let modes = [("default", "Default"), ("auto", "Auto"), ("plan", "Plan")]
    private static let models = [("small", "Small"), ("large", "Large")]

    var state: JSONObject {
        [
            "modes": [
                "currentModeId": JSON(mode),
                "availableModes": .array(EchoSession.modes.map { ["id": JSON($0.0), "name": JSON($0.1)] }),
            ],
            "configOptions": configOptions,
        ]
    }

    var configOptions: JSON {
        func option(_ id: String, _ name: String, _ current: String, _ values: [(String, String)]) -> JSON {
            [
                "id": JSON(id), "name": JSON(name), "category": JSON(id), "type": "select",
                "currentValue": JSON(current),
                "options": .array(values.map { ["value": JSON($0.0), "name": JSON($0.1)] }),
            ]
        }
        return [
            option("mode", "Mode", mode, EchoSession.modes), option("model", "Model", model, EchoSession.models),
        ]
    }

    func set(mode: String) -> Bool {
        guard EchoSession.modes.contains(where: { $0.0 == mode }) else { return false }
        self.mode = mode
        update(["sessionUpdate": "current_mode_update", "currentModeId": JSON(mode)])
        return true
    }

    func set(model: String) -> Bool {
        guard EchoSession.models.contains(where: { $0.0 == model }) else { return false }
        self.model = model
        update(["sessionUpdate": "config_option_update", "configOptions": configOptions])
        return true
    }

    /// Takes up what earlier processes wrote about this session.
    func restore(_ lines: [JSON]) {
        for line in lines {
            // Identifiers go on where they stopped, so that none is given twice.
            let identifier = (line["messageId"] ?? line["toolCallId"])?.stringValue ?? ""
            if let source = line["actedOut"]?.stringValue { actedOut.insert(source) }
            if let number = Int(identifier.drop { !$0.isNumber }) { count = max(count, number) }
            switch line["sessionUpdate"]?.stringValue {
            case "current_mode_update": mode = line["currentModeId"]?.stringValue ?? mode
            case "config_option_update":
                for option in line["configOptions"]?.arrayValue ?? [] where option["id"] == "model" {
                    model = option["currentValue"]?.stringValue ?? model
                }
            case "usage_update":
                cost = line["cost"]?["amount"]?.doubleValue ?? cost
                inputTokens = line["_meta"]?["inputTokens"]?.intValue ?? inputTokens
                outputTokens = line["_meta"]?["outputTokens"]?.intValue ?? outputTokens
            case "user_message_chunk": turns += 1
            default: break
            }
        }
    }

    // MARK: Turns

    /// Whether this wasn't acted out before; kept in the history, since acting it out may end the process.
    func isNew(_ source: String) -> Bool {
        guard actedOut.insert(source).inserted else { return false }
        connection.history.append(id, ["actedOut": JSON(source)])
        return true
    }

    func begin(_ text: String, requestId: JSON) {
        turns += 1
        count += 1
        connection.history.append(
            id, ["sessionUpdate": "user_message_chunk", "content": ["type": "text", "text": JSON(text)]])
        turn = Turn(requestId: requestId, directives: Directive.parse(EchoSession.withoutContext(text)))
    }

    /// What was said elsewhere is told before a prompt: it was acted out already.
    private static func withoutContext(_ text: String) -> String {
        guard text.utf8.starts(with: "<conversation>".utf8), let end = text.firstRange(ofText: "</conversation>\n\n"),
            let blank = text[end.upperBound...].firstRange(ofText: "\n\n")
        else { return text }
        return String(text[blank.upperBound...])
    }

    func cancel() { turn?.isCancelled = true }

    func finish(stopReason: String) {
        guard let turn else { return }
        close()
        self.turn = nil
        var result: JSONObject = ["stopReason": JSON(stopReason)]
        if inputTokens + outputTokens > 0 {
            result["usage"] = [
                "totalTokens": JSON(inputTokens + outputTokens), "inputTokens": JSON(inputTokens),
                "outputTokens": JSON(outputTokens),
            ]
        }
        connection.respond(turn.requestId, result)
    }

    func fail(code: Int, message: String, data: JSON?) {
        guard let turn else { return }
        close()
        self.turn = nil
        connection.fail(turn.requestId, code: code, message: message, data: data)
    }

    // MARK: Updates

    /// An identifier that this session has not used before.
    func identifier(_ prefix: String) -> String {
        count += 1
        return prefix + String(count)
    }

    /// Sends an update and leaves it out of the history.
    func send(_ update: JSONObject) {
        connection.output.line([
            "jsonrpc": "2.0", "method": "session/update",
            "params": ["sessionId": JSON(id), "update": .object(update)],
        ])
    }

    /// Sends an update that a load replays.
    func update(_ update: JSONObject, inHistory: JSONObject? = nil) {
        close()
        count += 1
        send(update)
        connection.history.append(id, inHistory ?? update)
    }

    /// Says or thinks one piece of text.
    func piece(_ kind: String, _ text: String, meta: JSON? = nil) {
        let messageId = opened(kind, meta: meta)
        keep(text)
        var update: JSONObject = [
            "sessionUpdate": JSON(kind), "content": ["type": "text", "text": JSON(text)],
            "messageId": JSON(messageId),
        ]
        update["_meta"] = meta
        send(update)
    }

    /// The message that pieces of this kind go into; a new one when another kind was open.
    func opened(_ kind: String, meta: JSON? = nil) -> String {
        if let open, open.kind == kind, open.meta == meta { return open.messageId }
        close()
        let messageId = identifier("m")
        open = (kind, messageId, "", meta)
        return messageId
    }

    /// Ends what is being said.
    func close() {
        guard let open else { return }
        self.open = nil
        var update: JSONObject = [
            "sessionUpdate": JSON(open.kind), "content": ["type": "text", "text": JSON(open.text)],
            "messageId": JSON(open.messageId),
        ]
        update["_meta"] = open.meta
        connection.history.append(id, update)
    }

    /// Bytes of what is being said that the history will have.
    var keptBytes: Int { open?.text.utf8.count ?? 0 }

    func keep(_ text: String) {
        if keptBytes < History.maximumText { open?.text += text }
    }
}

/// The prompt that is being worked on.
struct Turn {
    let requestId: JSON
    var directives: [Directive]
    var position = 0
    var isCancelled = false
    var activity: Activity?

    init(requestId: JSON, directives: [Directive]) {
        self.requestId = requestId
        self.directives = directives
    }

    enum Activity {
        case message(Flow)
        case toolOutput(Flow, toolCallId: String)
        case pause(until: Int64)
        case permission(request: Int, toolCallId: String, title: String)
        case question(request: Int)
    }
}

/// Pieces that are being sent at a rate.
struct Flow {
    let burst: Burst
    let started: Int64
    var sent = 0

    /// When the next piece is due.
    var due: Int64 {
        burst.rate == 0 ? 0 : started + Int64(Double(sent) / burst.rate * 1_000_000_000)
    }

    /// Piece `index`: its number, then letters, together `burst.size` bytes.
    func appendPiece(_ index: Int, to bytes: inout [UInt8]) {
        let start = bytes.count
        bytes.appendDecimal(index)
        let digits = bytes.count - start
        if digits > burst.size {
            bytes.removeLast(digits - burst.size)
            return
        }
        var left = burst.size - digits
        while left > 0 {
            let part = min(left, Flow.filler.count)
            bytes.append(contentsOf: Flow.filler[..<part])
            left -= part
        }
    }

    private static let filler: [UInt8] = (0..<4096).map { index in
        let letter = index % 27
        return letter == 0 ? 0x20 : UInt8(0x60 + letter)
    }
}
