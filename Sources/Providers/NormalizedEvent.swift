package import HubProtocol
package import JSON

/// What an adapter makes of its provider's messages: the vocabulary of the log, before turn, sequence and time.
///
/// `itemId` is the adapter's identifier of one thing within a session (a message, a thought, a tool call); chunks and
/// the durable event that closes the thing carry the same one. Make it from the provider's own identifiers, so that
/// two runs over one transcript give the same events.
package enum NormalizedEvent: Equatable, Sendable {
    /// The provider has its session: from here on it can be resumed by `nativeSessionId`.
    case sessionReady(SessionReady)
    /// The provider started a turn that nobody sent (a background task woke it).
    case turnStarted(reason: String)
    /// Text that is still growing; never logged, the closing event carries the whole.
    case chunk(itemId: String, kind: ChunkKind, text: String)
    case message(Message)
    case thinking(itemId: String, nativeId: String?, text: String, parentItemId: String?)
    case toolCall(ToolCall)
    case toolResult(ToolResult)
    case diff(FileDiff)
    /// The whole to-do list as it is now.
    case plan(itemId: String?, entries: [PlanEntry])
    case permissionRequested(PermissionRequest)
    case questionRequested(QuestionRequest)
    /// The provider took a pending permission or question back; nobody can answer it any more.
    case requestWithdrawn(requestId: String)
    case usage(Usage)
    case quota(Quota)
    /// Anything about the session's state worth keeping: model or mode changed, compaction, a retry in progress.
    case status(type: String, data: JSONObject)
    case error(Failure)
    /// Has no place in the schema; kept as it came.
    case custom(type: String, data: JSON)
    case turnCompleted(TurnOutcome)
}

package enum ChunkKind: String, Sendable {
    case message
    case thinking
    case toolOutput = "tool_output"
}

package struct SessionReady: Equatable, Sendable {
    package var nativeSessionId: String
    package var model: String?
    package var mode: String?
    package var availableModels: [String]
    package var availableModes: [String]
    package var availableEfforts: [String]
    /// What else the provider tells about itself: version, tools, folder.
    package var details: JSONObject

    package init(
        nativeSessionId: String, model: String? = nil, mode: String? = nil, availableModels: [String] = [],
        availableModes: [String] = [], availableEfforts: [String] = [], details: JSONObject = [:]
    ) {
        self.nativeSessionId = nativeSessionId
        self.model = model
        self.mode = mode
        self.availableModels = availableModels
        self.availableModes = availableModes
        self.availableEfforts = availableEfforts
        self.details = details
    }
}

package struct Message: Equatable, Sendable {
    package var itemId: String
    package var nativeId: String?
    /// `assistant`, `user` (said on the user's behalf by the provider) or `system`.
    package var role: String
    package var text: String
    /// The tool call within which a subagent said it.
    package var parentItemId: String?
    /// Cut off by an interrupt.
    package var isPartial: Bool

    package init(
        itemId: String, nativeId: String? = nil, role: String = "assistant", text: String, parentItemId: String? = nil,
        isPartial: Bool = false
    ) {
        self.itemId = itemId
        self.nativeId = nativeId
        self.role = role
        self.text = text
        self.parentItemId = parentItemId
        self.isPartial = isPartial
    }
}

package enum ToolStatus: String, Sendable {
    case pending
    case running
    case completed
    case failed
    case cancelled
}

package struct ToolCall: Equatable, Sendable {
    package var itemId: String
    package var nativeId: String?
    /// The tool's name as the provider has it, for example `Bash`.
    package var name: String
    /// One line for people, for example the command.
    package var title: String
    /// `read`, `edit`, `delete`, `move`, `search`, `execute`, `think`, `fetch`, `agent` or `other` (ACP's tool kinds and
    /// `agent`).
    package var toolKind: String
    package var arguments: JSON
    package var status: ToolStatus
    package var parentItemId: String?

    package init(
        itemId: String, nativeId: String? = nil, name: String, title: String, toolKind: String = "other",
        arguments: JSON = [:], status: ToolStatus = .running, parentItemId: String? = nil
    ) {
        self.itemId = itemId
        self.nativeId = nativeId
        self.name = name
        self.title = title
        self.toolKind = toolKind
        self.arguments = arguments
        self.status = status
        self.parentItemId = parentItemId
    }
}

package struct ToolResult: Equatable, Sendable {
    package var itemId: String
    package var nativeId: String?
    package var status: ToolStatus
    /// Text, or an array of content blocks where the tool answered with more than text.
    package var content: JSON
    package var exitCode: Int?
    package var parentItemId: String?

    package init(
        itemId: String, nativeId: String? = nil, status: ToolStatus, content: JSON, exitCode: Int? = nil,
        parentItemId: String? = nil
    ) {
        self.itemId = itemId
        self.nativeId = nativeId
        self.status = status
        self.content = content
        self.exitCode = exitCode
        self.parentItemId = parentItemId
    }
}

package struct FileDiff: Equatable, Sendable {
    /// The tool call that changed the file, or an identifier of its own.
    package var itemId: String
    package var path: String
    /// Nil for a new file, or where the provider doesn't tell.
    package var oldText: String?
    package var newText: String?
    /// A unified diff, where the provider sends one.
    package var unified: String?

    package init(
        itemId: String, path: String, oldText: String? = nil, newText: String? = nil, unified: String? = nil
    ) {
        self.itemId = itemId
        self.path = path
        self.oldText = oldText
        self.newText = newText
        self.unified = unified
    }
}

package struct PlanEntry: Equatable, Sendable {
    package var content: String
    /// `pending`, `in_progress` or `completed`.
    package var status: String
    package var priority: String?

    package init(content: String, status: String, priority: String? = nil) {
        self.content = content
        self.status = status
        self.priority = priority
    }
}

package enum PermissionOptionKind: String, Sendable {
    case allowOnce = "allow_once"
    case allowAlways = "allow_always"
    case rejectOnce = "reject_once"
    case rejectAlways = "reject_always"
}

package struct PermissionOption: Equatable, Sendable {
    /// Unique within its request; the provider's own identifier where it has one.
    package var optionId: String
    package var label: String
    package var kind: PermissionOptionKind

    package init(optionId: String, label: String, kind: PermissionOptionKind) {
        self.optionId = optionId
        self.label = label
        self.kind = kind
    }
}

package struct PermissionRequest: Equatable, Sendable {
    /// Unique within the session over restarts of the provider: the adapter makes it so.
    package var requestId: String
    /// The tool call it is about.
    package var itemId: String?
    package var nativeId: String?
    package var toolName: String
    package var title: String
    /// The exact arguments that are asked about.
    package var arguments: JSON
    package var options: [PermissionOption]
    /// What the provider says about why it asks.
    package var reason: String?

    package init(
        requestId: String, itemId: String? = nil, nativeId: String? = nil, toolName: String, title: String,
        arguments: JSON = [:], options: [PermissionOption], reason: String? = nil
    ) {
        self.requestId = requestId
        self.itemId = itemId
        self.nativeId = nativeId
        self.toolName = toolName
        self.title = title
        self.arguments = arguments
        self.options = options
        self.reason = reason
    }
}

package struct Question: Equatable, Sendable {
    /// The key under which its answer is given.
    package var id: String
    package var header: String?
    package var text: String
    /// Empty: free text.
    package var options: [QuestionOption]
    package var allowsMultiple: Bool
    package var allowsOther: Bool

    package init(
        id: String, header: String? = nil, text: String, options: [QuestionOption] = [], allowsMultiple: Bool = false,
        allowsOther: Bool = true
    ) {
        self.id = id
        self.header = header
        self.text = text
        self.options = options
        self.allowsMultiple = allowsMultiple
        self.allowsOther = allowsOther
    }
}

package struct QuestionOption: Equatable, Sendable {
    package var label: String
    package var description: String?

    package init(label: String, description: String? = nil) {
        self.label = label
        self.description = description
    }
}

package struct QuestionRequest: Equatable, Sendable {
    package var requestId: String
    package var itemId: String?
    package var nativeId: String?
    /// `question`, or `plan_approval` (the agent asks whether it may leave plan mode).
    package var purpose: String
    package var questions: [Question]
    /// For `plan_approval`: the plan, in Markdown.
    package var body: String?

    package init(
        requestId: String, itemId: String? = nil, nativeId: String? = nil, purpose: String = "question",
        questions: [Question], body: String? = nil
    ) {
        self.requestId = requestId
        self.itemId = itemId
        self.nativeId = nativeId
        self.purpose = purpose
        self.questions = questions
        self.body = body
    }
}

/// Tokens and money. Where it is of a turn, it is that turn's alone, never a running total.
///
/// The counts mean the same whichever provider they are from; an adapter whose provider counts otherwise converts.
package struct Usage: Equatable, Sendable {
    /// All tokens that went in, those read from and written to a cache included.
    package var input: Int
    /// All tokens that came out, the model's reasoning included: it is paid for as output.
    package var output: Int
    /// The part of `input` that was read from the provider's cache, never more than that.
    package var cached: Int
    /// What the provider itself says it cost; nil where it doesn't.
    package var costUsd: Double?
    /// Tokens in the model's context now, and how many fit.
    package var contextUsed: Int?
    package var contextWindow: Int?
    /// The model that it was, where the provider says so.
    package var model: String?

    package init(
        input: Int = 0, output: Int = 0, cached: Int = 0, costUsd: Double? = nil, contextUsed: Int? = nil,
        contextWindow: Int? = nil, model: String? = nil
    ) {
        self.input = input
        self.output = output
        self.cached = cached
        self.costUsd = costUsd
        self.contextUsed = contextUsed
        self.contextWindow = contextWindow
        self.model = model
    }
}

package struct Quota: Equatable, Sendable {
    /// `allowed`, `warning` or `rejected`.
    package var status: String
    /// Seconds since 1970.
    package var resetsAt: Double?
    /// For example `five_hour`, `seven_day`.
    package var window: String?
    /// 0 to 1.
    package var utilization: Double?

    package init(status: String, resetsAt: Double? = nil, window: String? = nil, utilization: Double? = nil) {
        self.status = status
        self.resetsAt = resetsAt
        self.window = window
        self.utilization = utilization
    }
}

package enum TurnStatus: String, Sendable {
    case completed
    case interrupted
    case failed
}

package struct TurnOutcome: Equatable, Sendable {
    package var status: TurnStatus
    /// The provider's own word, for example `end_turn`.
    package var stopReason: String?
    package var usage: Usage?
    package var durationMs: Int?

    package init(status: TurnStatus, stopReason: String? = nil, usage: Usage? = nil, durationMs: Int? = nil) {
        self.status = status
        self.stopReason = stopReason
        self.usage = usage
        self.durationMs = durationMs
    }
}

extension Usage {
    /// Two parts of one turn; what describes a moment is of the later.
    package func added(to earlier: Usage?) -> Usage {
        guard let earlier else { return self }
        var sum = self
        sum.input &+= earlier.input
        sum.output &+= earlier.output
        sum.cached &+= earlier.cached
        sum.costUsd = costUsd.map { $0 + (earlier.costUsd ?? 0) } ?? earlier.costUsd
        sum.contextUsed = contextUsed ?? earlier.contextUsed
        sum.contextWindow = contextWindow ?? earlier.contextWindow
        sum.model = model ?? earlier.model
        return sum
    }
}
