import Foundation
import JSON
import ProviderCodex
import Providers
import TestSupport
import Testing

/// The adapter's words and requests against the schema that the program itself generates.
@Suite(.serialized)
struct CodexSchemaTests {
    private static let folder: Result<TemporaryFolder, any Error> = Result {
        let program = try #require(RealCodex.program, "\(RealCodex.missing)")
        let folder = try TemporaryFolder("schema")
        let made = try run(
            program, ["app-server", "generate-json-schema", "--experimental", "--out", folder.path],
            environment: ["HOME": folder.path, "PATH": "/usr/bin:/bin"])
        guard made.code == 0 else { throw TestFailure("generate-json-schema failed: \(made.errors)") }
        return folder
    }

    private func schema(_ name: String) throws -> Schema {
        let text = try #require(try CodexSchemaTests.folder.get().read("\(name).json"), "no schema \(name)")
        return Schema(root: try JSON.parse(text))
    }

    private func methods(_ name: String) throws -> [String] {
        try (schema(name).root["oneOf"]?.arrayValue ?? []).compactMap {
            $0["properties"]?["method"]?["enum"]?[0]?.stringValue
        }
    }

    @Test func everyNotificationThatIsNamedExists() throws {
        let all = Set(try methods("ServerNotification"))
        #expect(all.count > 50)
        let named = CodexDecoder.handledMethods + CodexDecoder.ignoredMethods + CodexDecoder.statuses.keys
        #expect(named.filter { !all.contains($0) } == [])
        print("become custom: \(all.subtracting(named).sorted().joined(separator: ", "))")
    }

    @Test func everyRequestThatIsAnsweredExists() throws {
        let all = Set(try methods("ServerRequest"))
        #expect(CodexDecoder.handledRequests.filter { !all.contains($0) } == [])
        print("are refused: \(all.subtracting(CodexDecoder.handledRequests).sorted().joined(separator: ", "))")
    }

    private static let otherItems: Set = [
        "userMessage", "agentMessage", "reasoning", "plan", "contextCompaction", "enteredReviewMode",
        "exitedReviewMode", "subAgentActivity",
    ]

    @Test func everyItemThatIsNamedExists() throws {
        let schema = try schema("ServerNotification")
        let items = schema.root["definitions"]?["ThreadItem"]?["oneOf"]?.arrayValue ?? []
        let all = Set(items.compactMap { $0["properties"]?["type"]?["enum"]?[0]?.stringValue })
        let named = CodexItems.tools.union(CodexSchemaTests.otherItems)
        #expect(named.subtracting(all) == [])
        print("items that become custom: \(all.subtracting(named).sorted().joined(separator: ", "))")
        // What is read of each.
        let read: [String: [String]] = [
            "agentMessage": ["text", "questions", "memoryCitation"], "plan": ["text"],
            "reasoning": ["summary", "content"], "userMessage": ["content"],
            "commandExecution": ["command", "cwd", "commandActions", "aggregatedOutput", "exitCode", "status"],
            "fileChange": ["changes", "status"],
            "mcpToolCall": ["server", "tool", "arguments", "result", "error", "status"],
            "dynamicToolCall": ["namespace", "tool", "arguments", "contentItems", "success", "status"],
            "collabAgentToolCall": ["tool", "prompt", "receiverThreadIds", "agentsStates", "status"],
            "webSearch": ["query", "action", "results"], "imageView": ["path"], "sleep": ["durationMs"],
            "imageGeneration": ["revisedPrompt", "savedPath", "result", "failure"],
            "subAgentActivity": ["agentThreadId"], "enteredReviewMode": ["review"], "exitedReviewMode": ["review"],
        ]
        for item in items {
            guard let type = item["properties"]?["type"]?["enum"]?[0]?.stringValue else { continue }
            for name in read[type] ?? [] {
                #expect(item["properties"]?[name] != nil, "\(type) has no \(name)")
            }
        }
    }

    @Test(
        "Every value that is compared with exists",
        arguments: [
            ("CommandExecutionStatus", ["completed", "failed", "declined"]),
            ("PatchApplyStatus", ["completed", "failed", "declined"]), ("McpToolCallStatus", ["completed", "failed"]),
            ("CollabAgentToolCallStatus", ["completed", "failed", "interrupted"]),
            ("TurnStatus", ["completed", "interrupted", "failed"]),
            ("TurnPlanStepStatus", ["pending", "inProgress", "completed"]),
        ])
    func values(_ definition: String, _ values: [String]) throws {
        let all = try schema("ServerNotification").root["definitions"]?[definition]?["enum"]?.arrayValue ?? []
        #expect(values.filter { !all.contains(.string($0)) } == [], "\(definition)")
    }

    @Test(
        "Every member that is read exists",
        arguments: [
            ("AgentMessageDeltaNotification", ["threadId", "itemId", "delta"]),
            ("ReasoningSummaryTextDeltaNotification", ["itemId", "delta", "summaryIndex"]),
            ("ReasoningTextDeltaNotification", ["itemId", "delta", "contentIndex"]),
            ("CommandExecutionOutputDeltaNotification", ["itemId", "delta"]),
            ("McpToolCallProgressNotification", ["itemId", "message"]),
            ("ItemStartedNotification", ["threadId", "item"]), ("ItemCompletedNotification", ["threadId", "item"]),
            ("TurnStartedNotification", ["threadId", "turn"]), ("TurnCompletedNotification", ["threadId", "turn"]),
            ("Turn", ["id", "status", "error", "durationMs"]),
            ("TurnError", ["message", "codexErrorInfo", "additionalDetails", "misalignment"]),
            ("ErrorNotification", ["threadId", "error", "willRetry"]),
            ("TurnPlanUpdatedNotification", ["plan", "explanation"]), ("TurnPlanStep", ["step", "status"]),
            ("TurnDiffUpdatedNotification", ["diff"]),
            ("ThreadTokenUsageUpdatedNotification", ["threadId", "turnId", "tokenUsage"]),
            ("ThreadTokenUsage", ["total", "last", "modelContextWindow"]),
            ("TokenUsageBreakdown", ["inputTokens", "outputTokens", "cachedInputTokens", "totalTokens"]),
            ("AccountRateLimitsUpdatedNotification", ["rateLimits"]),
            (
                "RateLimitSnapshot",
                [
                    "primary", "secondary", "limitId", "credits", "individualLimit", "spendControlReached", "planType",
                    "rateLimitReachedType",
                ]
            ),
            ("RateLimitWindow", ["usedPercent", "windowDurationMins", "resetsAt"]),
            ("ServerRequestResolvedNotification", ["threadId", "requestId"]),
            ("ThreadSettings", ["model", "effort", "approvalPolicy", "sandboxPolicy", "collaborationMode"]),
            ("ModelReroutedNotification", ["toModel"]), ("FileUpdateChange", ["path", "kind", "diff"]),
            ("Thread", ["id", "parentThreadId", "agentNickname", "agentRole", "model", "path"]),
        ])
    func members(_ definition: String, _ names: [String]) throws {
        let properties = try schema("ServerNotification").root["definitions"]?[definition]?["properties"]
        #expect(properties != nil, "no \(definition)")
        for name in names { #expect(properties?[name] != nil, "\(definition) has no \(name)") }
    }

    @Test func everyKindOfErrorIsKnown() throws {
        let info = try schema("ServerNotification").root["definitions"]?["CodexErrorInfo"]?["anyOf"]?.arrayValue ?? []
        let words = info.flatMap { $0["enum"]?.arrayValue ?? [] }.compactMap(\.stringValue)
        #expect(Set(words) == Set(CodexFailures.words))
        let carriers = info.flatMap { $0["required"]?.arrayValue ?? [] }.compactMap(\.stringValue)
        #expect(Set(carriers) == Set(CodexFailures.carriers))
    }

    // MARK: What we send

    private static let prompt = Prompt(
        "hello",
        attachments: [
            Attachment(name: "a.png", mediaType: "image/png", content: .data(base64: "AAAA")),
            Attachment(name: "b", mediaType: "text/plain", content: .text("b")),
        ], context: "before")

    private static var requests: [(String, JSONObject)] {
        var all: [(String, JSONObject)] = [
            ("initialize", CodexInput.initialize(version: "1")), ("account/read", [:]),
            ("model/list", ["limit": 100]),
            ("turn/steer", CodexInput.steer("t", turn: "u", prompt)),
            ("turn/interrupt", CodexInput.interrupt("t", turn: "u")),
            ("thread/backgroundTerminals/clean", CodexInput.thread("t")),
            ("thread/unsubscribe", CodexInput.thread("t")),
        ]
        for mode in CodexMode.all.map(Optional.some) + [nil] {
            for model in ["m", nil] {
                all.append(("thread/start", CodexInput.start(workspace: "/w", model: model, mode: mode)))
                all.append(("thread/resume", CodexInput.resume("t", workspace: "/w", model: model, mode: mode)))
                all.append(("thread/fork", CodexInput.fork("t", workspace: "/w", model: model, mode: mode)))
                for collaboration in ["default", "plan"] {
                    let overrides = CodexInput.Overrides(model: model, effort: model.map { _ in "high" }, mode: mode)
                    all.append(
                        (
                            "turn/start",
                            CodexInput.turn(
                                "t", prompt, overrides, model: "m", effort: nil, collaboration: collaboration)
                        ))
                }
            }
        }
        return all
    }

    @Test func everyRequestFitsItsSchema() throws {
        let schema = try schema("ClientRequest")
        for (method, params) in CodexSchemaTests.requests {
            let known = schema.root["oneOf"]?.arrayValue?.first {
                $0["properties"]?["method"]?["enum"]?[0]?.stringValue == method
            }
            let problems = schema.problems(
                .object(params), against: try #require(known?["properties"]?["params"], "no \(method)"))
            #expect(problems == [], "\(method) \(JSON.object(params))")
        }
    }

    @Test func theValidatorFindsMistakes() throws {
        let schema = try schema("v2/TurnStartParams")
        #expect(schema.problems(["threadId": "t"]) != [])
        #expect(schema.problems(["threadId": "t", "input": [], "modell": "m"]) != [])
        #expect(schema.problems(["threadId": "t", "input": [["type": "text", "txt": "a"]]]) != [])
        #expect(schema.problems(["threadId": "t", "input": [], "sandboxPolicy": ["type": "read-only"]]) != [])
        #expect(schema.problems(["threadId": 1, "input": []]) != [])
    }

    /// A request with what Codex may offer, and the schema of its answer.
    private static let asked: [(String, String, JSON)] = [
        (
            "item/commandExecution/requestApproval", "CommandExecutionRequestApprovalResponse",
            [
                "itemId": "c", "command": "x",
                "availableDecisions": [
                    "accept", "acceptForSession",
                    ["acceptWithExecpolicyAmendment": ["execpolicy_amendment": ["ls"]]],
                    ["applyNetworkPolicyAmendment": ["network_policy_amendment": ["action": "allow", "host": "h"]]],
                    ["applyNetworkPolicyAmendment": ["network_policy_amendment": ["action": "deny", "host": "h"]]],
                    "decline", "cancel",
                ],
            ]
        ),
        ("item/fileChange/requestApproval", "FileChangeRequestApprovalResponse", ["itemId": "f"]),
        (
            "item/permissions/requestApproval", "PermissionsRequestApprovalResponse",
            ["itemId": "p", "cwd": "/", "permissions": ["network": ["enabled": true]]]
        ),
        (
            "item/tool/requestUserInput", "ToolRequestUserInputResponse",
            ["itemId": "q", "questions": [["id": "a", "header": "h", "question": "?"]]]
        ),
        (
            "mcpServer/elicitation/request", "McpServerElicitationRequestResponse",
            [
                "serverName": "s", "mode": "form", "message": "m",
                "requestedSchema": [
                    "type": "object", "properties": ["a": ["type": "integer"], "b": ["type": "boolean"]],
                ],
            ]
        ),
        (
            "mcpServer/elicitation/request", "McpServerElicitationRequestResponse",
            ["serverName": "s", "mode": "url", "message": "m", "url": "https://example.org"]
        ),
        (
            "mcpServer/elicitation/request", "McpServerElicitationRequestResponse",
            [
                "serverName": "s", "mode": "form", "message": "m", "_meta": ["persist": ["session", "always"]],
                "requestedSchema": ["type": "object", "properties": [:]],
            ]
        ),
        (
            "mcpServer/elicitation/request", "McpServerElicitationRequestResponse",
            ["serverName": "s", "mode": "openai/userVerification", "challenge": "c", "description": "d", "title": "t"]
        ),
        ("item/tool/call", "DynamicToolCallResponse", ["tool": "x"]),
        ("currentTime/read", "CurrentTimeReadResponse", [:]),
    ]

    @Test func everyAnswerFitsItsSchema() throws {
        for (method, name, params) in CodexSchemaTests.asked {
            let schema = try schema(name)
            var decoder = CodexDecoder(threadId: "t", epoch: "e")
            let output = decoder.decode(.request(id: 0, method: method, params: params))
            var answers: [JSON] = []
            for effect in output.effects {
                switch effect {
                case .requested(let request):
                    answers += request.options.map { request.reply(.option($0.optionId)) }
                    answers.append(request.reply(.cancelled))
                    answers.append(request.reply(answers: nil))
                    answers.append(request.reply(answers: ["a": "1", "b": "Yes", "done": "Done"]))
                case .answer(_, let result): answers.append(result)
                default: Issue.record("\(method): \(effect)")
                }
            }
            #expect(!answers.isEmpty)
            for answer in answers { #expect(schema.problems(answer) == [], "\(method) \(answer)") }
        }
    }
}
