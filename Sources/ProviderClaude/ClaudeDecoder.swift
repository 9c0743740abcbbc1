package import Base
package import JSON
package import Providers

/// Claude Code's stream-json output as normalised events: a pure state machine, one line in, events and effects out.
///
/// Written against Claude Code 2.1.329 and tolerant of others: what it doesn't know becomes `custom`, a line that is no
/// JSON object becomes `custom` `unparsed_output`, one that is too long `custom` `oversized_output`.
///
/// What carries nothing a person or a client could use is dropped, and this is all of it:
///
/// | dropped | because |
/// |---|---|
/// | `stream_event` `ping`, `message_stop`, `content_block_stop` | marks of the transport; the `assistant` line closes the item |
/// | `input_json_delta`, `signature_delta` | the `assistant` line has the whole arguments; a signature is opaque |
/// | thinking with empty text | the model's thinking was withheld; only its signature is there |
/// | `system` `status` `requesting`, `thinking_tokens` | heartbeat and estimate; `usage` follows |
/// | `system` `hook_started`, `hook_progress` | `hook_response` says it all |
/// | `tool_progress`, `keep_alive` | heartbeats |
/// | `user` texts `[Request interrupted by user...]` | the turn's status says it |
/// | `user` lines that replay what we sent | in the log already |
/// | `init` after the first, unless model or mode changed | it repeats every turn |
/// | `command_lifecycle` | what becomes of our messages shows in the turn; one that is taken back is a status |
package struct ClaudeDecoder: Sendable {
    /// What a line came to.
    package struct Output: Equatable, Sendable {
        package var events: [NormalizedEvent] = []
        package var effects: [Effect] = []
    }

    /// What the session has to do or know beside the events.
    package enum Effect: Equatable, Sendable {
        /// Claude answered one of our control requests. `error` is nil on success.
        case controlResponse(requestId: String, response: JSON, error: String?)
        /// A request is pending; the matching event went out in the same output.
        case requested(ClaudeRequest)
        /// A plan is up for approval, but its text must be asked for first; no event has gone out.
        case planNeeded(ClaudeRequest, QuestionRequest)
        case withdrawn(requestId: String)
        /// Claude asks for something this adapter doesn't do: to be answered with an error.
        case unsupportedRequest(requestId: String, subtype: String)
        /// The conversation exists from here on and can be resumed.
        case conversationStarted
        case resumeFailed(String)
        case turnEnded
    }

    /// Whose turn runs.
    package enum Turn: Equatable, Sendable {
        case none
        /// Ours, by the `uuid` of the user message.
        case sent(uuid: String)
        /// Nobody sent it: a background task woke Claude.
        case unsolicited
    }

    struct ToolRecord: Sendable {
        var name: String
        var arguments: JSON
    }

    /// The message that one thread (the main one, or a subagent) is building.
    struct Thread: Sendable {
        struct Block: Sendable {
            var kind: ChunkKind
            var text = ""
            var isClosed = false
        }

        var messageId: String
        /// The index of the next block that comes without having been streamed.
        var next = 0
        var blocks: [Int: Block] = [:]
    }

    struct APIError: Sendable {
        var message: String
        var status: Int?
        var type: String?
        var word: String?
    }

    package internal(set) var turn = Turn.none
    /// Set by the session when it asked for an interrupt; the turn's end clears it.
    package var isInterrupting = false
    package internal(set) var nativeSessionId: String?
    package internal(set) var model: String?
    package internal(set) var mode: String?
    /// From the answer to `initialize`.
    package var catalogue = ClaudeModels()
    /// What the conversation was told to use, if anything; Claude doesn't say what it uses.
    package var effort: String?

    var output = Output()
    /// By `parent_tool_use_id`; the main thread's is empty.
    var threads: [String: Thread] = [:]
    var tools: [String: ToolRecord] = [:]
    var taskList = ClaudeTaskList()
    /// Claude has come to the message that the turn was begun with.
    var hasStarted = false
    /// A turn that isn't ours runs while our message waits behind it.
    var isOtherTurnRunning = false
    /// Messages added to the turn and not yet answered.
    var additions: [Addition] = []
    /// How the turn would have ended, had nothing been added to it.
    var heldOutcome: TurnOutcome?
    /// Our message was withdrawn: so the turn ends as soon as the other one has.
    var withdrawal: TurnOutcome?
    /// It says what becomes of our messages (`command_lifecycle`): older versions don't.
    var reportsMessageStates = false
    var apiError: APIError?
    var quotaRejection: Quota?
    /// What was last said of each window.
    var quotas: [String: Quota] = [:]
    var retryDelay: Double?
    var wakeReason: String?
    var knownCost: Double?
    var contextInput = 0
    var contextUsed: Int?
    var anonymousItems = 0

    /// More open tool calls or subagents than any real session has; what is beyond is forgotten, not refused.
    static let tableLimit = 4096
    /// Messages added to one turn and not yet answered.
    static let additionLimit = 64
    /// Bytes kept of a line that could not be read.
    static let unparsedLimit = 8 * 1024

    /// - Parameter knownCostUsd: what the conversation has cost so far: nil when that is unknown (a resumed one whose
    ///   log doesn't tell), 0 for a new one. Only used with a Claude Code that doesn't report differences.
    package init(knownCostUsd: Double? = 0) {
        knownCost = knownCostUsd
    }

    package mutating func decode(_ line: LineSplitter.Line) -> Output {
        switch line {
        case .whole(let bytes):
            return decode(bytes)
        case .tooLong(let start, let length):
            return Output(events: [
                .custom(
                    type: "oversized_output",
                    data: ["bytes": JSON(length), "start": JSON(String(decoding: start, as: UTF8.self))])
            ])
        }
    }

    /// Takes one line, without its end.
    package mutating func decode(_ bytes: [UInt8]) -> Output {
        output = Output()
        if bytes.allSatisfy({ $0 == 0x20 || $0 == 0x09 }) { return output }
        if let json = try? JSON.parse(bytes), let type = json["type"]?.stringValue {
            dispatch(type, json)
        } else {
            emit(
                .custom(
                    type: "unparsed_output",
                    data: [
                        "text": JSON(String(decoding: bytes.prefix(ClaudeDecoder.unparsedLimit), as: UTF8.self)),
                        "bytes": JSON(bytes.count),
                    ]))
        }
        defer { output = Output() }
        return output
    }

    /// Takes what a line of a transcript says in the words of the stream.
    mutating func decode(transcript json: JSON, as type: String) -> [NormalizedEvent] {
        output = Output()
        dispatch(type, json)
        defer { output = Output() }
        return output.events
    }

    /// What came of something that was noted outside of a line (a model that was set, a message taken back).
    mutating func takeOutput() -> Output {
        defer { output = Output() }
        return output
    }

    /// The output has ended: what was streamed and not closed is handed on as partial.
    package mutating func end() -> [NormalizedEvent] {
        output = Output()
        for key in threads.keys.sorted() { flushOpenBlocks(of: key) }
        defer { output = Output() }
        return output.events
    }

    private mutating func dispatch(_ type: String, _ json: JSON) {
        switch type {
        case "stream_event": streamEvent(json)
        case "assistant": assistant(json)
        case "user": user(json)
        case "system": system(json)
        case "result": result(json)
        case "rate_limit_event": rateLimit(json)
        case "control_request": controlRequest(json)
        case "control_cancel_request":
            guard let id = json["request_id"]?.stringValue else { return custom(type, json) }
            emit(.requestWithdrawn(requestId: id))
            output.effects.append(.withdrawn(requestId: id))
        case "control_response":
            guard let response = json["response"], let id = response["request_id"]?.stringValue else {
                return custom(type, json)
            }
            let error =
                response["subtype"]?.stringValue == "error" ? response["error"]?.stringValue ?? "refused" : nil
            output.effects.append(
                .controlResponse(requestId: id, response: response["response"] ?? .null, error: error))
        case "command_lifecycle":
            guard let uuid = json["command_uuid"]?.stringValue, let state = json["state"]?.stringValue else {
                return custom(type, json)
            }
            noteMessage(uuid, state)
        case "tool_progress", "keep_alive": break
        case "auth_status", "tool_use_summary", "prompt_suggestion": status(type, json)
        default: custom(type, json)
        }
    }

    // MARK: What all parts use

    mutating func emit(_ event: NormalizedEvent) { output.events.append(event) }

    mutating func custom(_ type: String, _ json: JSON) { emit(.custom(type: type, data: json)) }

    /// The members of a line that say something, as a status.
    mutating func status(_ type: String, _ json: JSON) {
        var data = JSONObject()
        for (key, value) in json.objectValue ?? [:] where !ClaudeDecoder.envelope.contains(key) {
            data[camelCase(key)] = value
        }
        emit(.status(type: type, data: data))
    }

    private static let envelope: Set = ["type", "subtype", "uuid", "session_id", "parent_tool_use_id", "timestamp"]

    mutating func anonymousItem(_ kind: String) -> String {
        anonymousItems &+= 1
        return "\(kind):\(anonymousItems)"
    }
}
