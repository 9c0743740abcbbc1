import JSON
import Providers

// What a turn is made of: messages, reasoning, and the work of tools.
extension CodexDecoder {
    mutating func itemStarted(_ params: JSON) {
        guard let item = params["item"], let type = item["type"]?.stringValue, let id = item["id"]?.stringValue else {
            return custom("item/started", params)
        }
        closed[id] = nil
        // One that begins anew ends what went before under its name.
        if let before = open[id], before.type != type || !CodexItems.tools.contains(type) { closeOne(id) }
        switch type {
        case "userMessage": return
        case "agentMessage", "reasoning", "plan": openItem(id, type, item, params)
        case "contextCompaction":
            hasCompacted = true
            status("compacting", ["itemId": JSON(id)])
        case "enteredReviewMode", "exitedReviewMode", "subAgentActivity": return
        case _ where CodexItems.tools.contains(type):
            guard open[id] == nil else { return }
            openItem(id, type, item, params)
            adoptAgents(item, id)
            // A search is begun before it is known what for.
            if type != "webSearch" || item["query"]?.stringValue?.isEmpty == false { emitCall(id) }
        default: custom("item/started:\(type)", item)
        }
    }

    mutating func itemCompleted(_ params: JSON) {
        guard let item = params["item"], let type = item["type"]?.stringValue, let id = item["id"]?.stringValue else {
            return custom("item/completed", params)
        }
        if let isBackground = closed.removeValue(forKey: id) {
            if isBackground { backgroundEnded(item, id) }
            return
        }
        if let before = open[id], before.type != type { closeOne(id) }
        let parent = parent(of: params)
        switch type {
        case "userMessage": userMessage(item, id, params)
        case "agentMessage", "plan":
            let streamed = open.removeValue(forKey: id)?.text ?? ""
            let text = item["text"]?.stringValue ?? ""
            if !text.isEmpty || !streamed.isEmpty {
                emit(
                    .message(
                        Message(
                            itemId: id, nativeId: id, text: text.isEmpty ? streamed : text, parentItemId: parent)))
            }
            for key in ["questions", "memoryCitation"] where item[key].map({ !$0.isNull }) ?? false {
                custom("agentMessage:\(key)", ["itemId": JSON(id), "value": item[key] ?? .null])
            }
        case "reasoning":
            let opened = open.removeValue(forKey: id)
            think(
                id, CodexDecoder.joined(item["summary"]), opened?.text ?? "", parent: parent)
            think(
                CodexDecoder.rawItem(id), CodexDecoder.joined(item["content"]), opened?.rawText ?? "", parent: parent)
        case "contextCompaction": status("compacted", ["itemId": JSON(id)])
        case "enteredReviewMode": status("review_started", ["review": item["review"] ?? .null])
        case "exitedReviewMode":
            if let text = item["review"]?.stringValue, !text.isEmpty {
                emit(.message(Message(itemId: id, nativeId: id, text: text, parentItemId: parent)))
            }
            status("review_ended", [:])
        case "subAgentActivity":
            if let agent = item["agentThreadId"]?.stringValue { adopt(agent, call: nil) }
            status("subagent", item)
        case _ where CodexItems.tools.contains(type):
            if open[id] == nil { openItem(id, type, item, params) }
            let whole = merged(open[id]?.item, item)
            open[id]?.item = whole
            adoptAgents(item, id)
            emitCall(id)
            toolEnded(id, item, parent: parent)
        default: custom("item/completed:\(type)", item)
        }
    }

    private mutating func openItem(_ id: String, _ type: String, _ item: JSON, _ params: JSON) {
        if open.count >= CodexDecoder.tableLimit { closeAll(.failed) { _ in true } }
        nextOrder &+= 1
        open[id] = OpenItem(
            type: type, item: item, threadId: params["threadId"]?.stringValue ?? threadId, order: nextOrder)
    }

    /// What was known at the start stands where the end is silent about it.
    private func merged(_ start: JSON?, _ end: JSON) -> JSON {
        guard var object = start?.objectValue else { return end }
        for (key, value) in end.objectValue ?? [:] where !value.isNull { object[key] = value }
        return .object(object)
    }

    // MARK: Messages

    /// What somebody else than us put into the conversation: a hook, a goal, another agent.
    private mutating func userMessage(_ item: JSON, _ id: String, _ params: JSON) {
        if !isForeign(params), awaitedMessages > 0 {
            awaitedMessages -= 1
            return
        }
        let parts = item["content"]?.arrayValue ?? []
        let text = parts.compactMap { $0["text"]?.stringValue }.joined(separator: "\n")
        if !text.isEmpty {
            emit(
                .message(
                    Message(itemId: id, nativeId: id, role: "user", text: text, parentItemId: parent(of: params))))
        }
        if parts.contains(where: { $0["text"] == nil }) { custom("item/completed:userMessage", item) }
    }

    private mutating func think(_ itemId: String, _ text: String, _ streamed: String, parent: String?) {
        let text = text.isEmpty ? streamed : text
        guard !text.isEmpty else { return }
        emit(.thinking(itemId: itemId, nativeId: nil, text: text, parentItemId: parent))
    }

    /// A reasoning's own words stand beside its summary.
    static func rawItem(_ id: String) -> String { "\(id):raw" }

    private static func joined(_ parts: JSON?) -> String {
        (parts?.arrayValue ?? []).compactMap(\.stringValue).joined(separator: "\n\n")
    }

    // MARK: Deltas

    mutating func delta(_ method: String, _ params: JSON) {
        guard let id = params["itemId"]?.stringValue else { return custom(method, params) }
        guard closed[id] == nil else { return }
        let text = (params["delta"] ?? params["message"])?.stringValue ?? ""
        switch method {
        case "item/reasoning/summaryPartAdded":
            guard let index = params["summaryIndex"]?.intValue, index > 0 else { return }
            stream(id, "reasoning", "\n\n", params)
        case "item/reasoning/summaryTextDelta": stream(id, "reasoning", text, params)
        case "item/reasoning/textDelta":
            if open[id] == nil { openItem(id, "reasoning", ["id": JSON(id)], params) }
            guard open[id]?.type == "reasoning" else { return }
            open[id]?.rawText += text
            if !text.isEmpty { emit(.chunk(itemId: CodexDecoder.rawItem(id), kind: .thinking, text: text)) }
        case "item/commandExecution/outputDelta": output(id, text)
        case "item/mcpToolCall/progress": output(id, text + "\n")
        case "item/plan/delta": stream(id, "plan", text, params)
        default: stream(id, "agentMessage", text, params)
        }
    }

    private mutating func stream(_ id: String, _ type: String, _ text: String, _ params: JSON) {
        if open[id] == nil { openItem(id, type, ["id": JSON(id)], params) }
        guard !text.isEmpty, open[id]?.type == type else { return }
        open[id]?.text += text
        emit(.chunk(itemId: id, kind: type == "reasoning" ? .thinking : .message, text: text))
    }

    private mutating func output(_ id: String, _ text: String) {
        // Not by way of a copy of the item: adding to the text would copy all of it each time.
        guard !text.isEmpty, let length = open[id]?.text.utf8.count else { return }
        if length < CodexDecoder.toolOutputLimit { open[id]?.text += text }
        emit(.chunk(itemId: id, kind: .toolOutput, text: text))
    }

    // MARK: Tools

    private mutating func emitCall(_ id: String) {
        guard let opened = open[id], !opened.hasCall else { return }
        open[id]?.hasCall = true
        emit(
            .toolCall(
                ToolCall(
                    itemId: id, nativeId: id, name: CodexItems.name(opened.item), title: CodexItems.title(opened.item),
                    toolKind: CodexItems.kind(opened.item), arguments: CodexItems.arguments(opened.item),
                    parentItemId: call(of: opened.threadId))))
    }

    private mutating func toolEnded(_ id: String, _ item: JSON, parent: String?) {
        let streamed = open.removeValue(forKey: id)?.text ?? ""
        let word = item["status"]?.stringValue
        let hasFailed = word == "failed" || word == "declined" || item["success"]?.boolValue == false
        let status: ToolStatus = word == "interrupted" ? .cancelled : hasFailed ? .failed : .completed
        if item["type"]?.stringValue == "fileChange", status == .completed {
            for change in item["changes"]?.arrayValue ?? [] { emit(.diff(CodexDecoder.diff(change, itemId: id))) }
        }
        emit(
            .toolResult(
                ToolResult(
                    itemId: id, nativeId: id, status: status, content: content(item, streamed, word),
                    exitCode: item["exitCode"]?.intValue, parentItemId: parent)))
    }

    private func content(_ item: JSON, _ streamed: String, _ word: String?) -> JSON {
        switch item["type"]?.stringValue {
        case "commandExecution":
            if let text = item["aggregatedOutput"]?.stringValue { return JSON(text) }
            return JSON(streamed.isEmpty && word == "declined" ? "Not allowed." : streamed)
        case "fileChange":
            return word == "declined" ? "Not allowed." : ""
        case "mcpToolCall":
            if let message = item["error"]?["message"]?.stringValue { return JSON(message) }
            guard let result = item["result"], !result.isNull else { return JSON(streamed) }
            let blocks = result["content"]?.arrayValue ?? []
            let texts = blocks.compactMap { $0["type"]?.stringValue == "text" ? $0["text"]?.stringValue : nil }
            return texts.count == blocks.count ? JSON(texts.joined(separator: "\n")) : .array(blocks)
        case "dynamicToolCall": return item["contentItems"] ?? ""
        case "collabAgentToolCall": return JSON(item["agentsStates"]?.description ?? "")
        case "webSearch": return item["results"].flatMap { $0.isNull ? nil : $0 } ?? ""
        case "imageGeneration":
            if let failure = item["failure"], !failure.isNull { return JSON(failure.description) }
            if let path = item["savedPath"]?.stringValue { return JSON(path) }
            return item["result"]?.stringValue.map {
                [["type": "image", "data": JSON($0), "mimeType": "image/png"]]
            } ?? ""
        default: return ""
        }
    }

    static func diff(_ change: JSON, itemId: String) -> FileDiff {
        let path = change["path"]?.stringValue ?? ""
        let text = change["diff"]?.stringValue
        switch change["kind"]?["type"]?.stringValue {
        // For a whole file Codex gives what stands in it.
        case "add": return FileDiff(itemId: itemId, path: path, newText: text)
        case "delete": return FileDiff(itemId: itemId, path: path, oldText: text)
        default: return FileDiff(itemId: itemId, path: path, unified: text)
        }
    }

    // MARK: Agents that work for this one

    private mutating func adoptAgents(_ item: JSON, _ id: String) {
        guard item["type"]?.stringValue == "collabAgentToolCall" else { return }
        for agent in item["receiverThreadIds"]?.arrayValue ?? [] {
            // The call that started it is its parent for good.
            if let agent = agent.stringValue { adopt(agent, call: call(of: agent) ?? id) }
        }
    }

    mutating func adopt(_ agent: String, call: String?) {
        guard agent != threadId, agents[agent] == nil || call != nil, agents.count < CodexDecoder.tableLimit else {
            return
        }
        let isNew = agents[agent] == nil
        agents[agent] = call ?? agents[agent] ?? ""
        if isNew { output.effects.append(.adopted(threadId: agent)) }
    }

    // MARK: Ends

    /// What was streamed and never closed (the connection broke, the turn was cut off) is kept as partial.
    mutating func closeStreams(_ isIncluded: (OpenItem) -> Bool) {
        for (id, item) in open.sorted(by: { $0.value.order < $1.value.order })
        where isIncluded(item) && !CodexItems.tools.contains(item.type) {
            open[id] = nil
            let parent = call(of: item.threadId)
            if item.type == "reasoning" {
                think(id, "", item.text, parent: parent)
                think(CodexDecoder.rawItem(id), "", item.rawText, parent: parent)
            } else if !item.text.isEmpty {
                emit(
                    .message(
                        Message(itemId: id, nativeId: id, text: item.text, parentItemId: parent, isPartial: true)))
            }
        }
    }

    private mutating func closeOne(_ id: String) {
        guard let order = open[id]?.order else { return }
        closeAll(.failed) { $0.order == order }
        closed[id] = nil
    }

    /// Closes everything that is open, as `item/completed` never comes for what an interrupt cut off. A command that a
    /// completed turn leaves open goes on in the background.
    mutating func closeAll(_ turn: TurnStatus, _ isIncluded: (OpenItem) -> Bool) {
        let included = open.filter { isIncluded($0.value) }
        if closed.count + included.count > CodexDecoder.tableLimit { closed = [:] }
        for (id, item) in included { closed[id] = turn == .completed && item.type == "commandExecution" }
        closeStreams(isIncluded)
        for (id, item) in included.sorted(by: { $0.value.order < $1.value.order }) where open[id] != nil {
            emitCall(id)
            open[id] = nil
            let status: ToolStatus =
                switch turn {
                case .completed: .completed
                case .interrupted: .cancelled
                case .failed: .failed
                }
            emit(
                .toolResult(
                    ToolResult(
                        itemId: id, nativeId: id, status: status, content: JSON(item.text),
                        parentItemId: call(of: item.threadId))))
        }
    }

    private mutating func backgroundEnded(_ item: JSON, _ id: String) {
        var data: JSONObject = ["itemId": JSON(id)]
        for key in ["status", "exitCode", "aggregatedOutput"] {
            if let value = item[key], !value.isNull { data[key == "aggregatedOutput" ? "output" : key] = value }
        }
        emit(.status(type: "background_command_completed", data: data))
    }
}
