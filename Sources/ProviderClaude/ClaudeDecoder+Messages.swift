import JSON
import Providers

// What Claude says: streamed deltas, and the `assistant` lines that close them, one content block each.
extension ClaudeDecoder {
    mutating func streamEvent(_ json: JSON) {
        guard let event = json["event"], let type = event["type"]?.stringValue else {
            return custom("stream_event", json)
        }
        let parent = json["parent_tool_use_id"]?.stringValue
        let key = parent ?? ""
        switch type {
        case "message_start":
            guard let id = event["message"]?["id"]?.stringValue else { return custom("stream_event", json) }
            flushOpenBlocks(of: key)
            openThread(key, messageId: id)
            guard parent == nil else { return }
            noticeActivity()
            noteContext(event["message"]?["usage"])
            if let name = event["message"]?["model"]?.stringValue { noteModel(name) }
        case "content_block_start":
            guard let index = event["index"]?.intValue, let block = event["content_block"] else {
                return custom("stream_event", json)
            }
            let kind: ChunkKind
            switch block["type"]?.stringValue {
            case "text": kind = .message
            case "thinking": kind = .thinking
            default: return
            }
            guard let thread = threads[key], thread.blocks[index] == nil,
                thread.blocks.count < ClaudeDecoder.tableLimit
            else { return }
            threads[key]?.blocks[index] = Thread.Block(kind: kind)
            append(block["text"]?.stringValue ?? block["thinking"]?.stringValue ?? "", to: index, of: key)
        case "content_block_delta":
            guard let index = event["index"]?.intValue, let delta = event["delta"] else {
                return custom("stream_event", json)
            }
            switch delta["type"]?.stringValue {
            case "text_delta": append(delta["text"]?.stringValue ?? "", to: index, of: key)
            case "thinking_delta": append(delta["thinking"]?.stringValue ?? "", to: index, of: key)
            case "input_json_delta", "signature_delta", "citations_delta": break
            default: custom("stream_event", json)
            }
        case "message_delta":
            if parent == nil { noteContext(event["usage"]) }
        case "content_block_stop", "message_stop", "ping": break
        case "error": status("stream_error", event)
        default: custom("stream_event", json)
        }
    }

    mutating func assistant(_ json: JSON) {
        guard let message = json["message"], let blocks = message["content"]?.arrayValue else {
            return custom("assistant", json)
        }
        let parent = json["parent_tool_use_id"]?.stringValue
        if parent == nil {
            noticeActivity()
            if json["is_api_error_message"]?.boolValue == true {
                // The `result` that follows makes one error of it; as a message it would look like Claude's words.
                apiError = APIError(
                    message: blocks.compactMap { $0["text"]?.stringValue }.joined(separator: "\n"),
                    status: json["api_error_status"]?.intValue, type: json["api_error_type"]?.stringValue,
                    word: json["error"]?.stringValue)
                return
            }
        }
        let id = message["id"]?.stringValue ?? anonymousItem("message")
        let isPartial = json["aborted"]?.boolValue ?? false
        for block in blocks {
            switch block["type"]?.stringValue {
            case "text":
                let (itemId, streamed) = closeBlock(.message, messageId: id, thread: parent ?? "")
                let text = block["text"]?.stringValue ?? ""
                guard !text.isEmpty || !streamed.isEmpty else { continue }
                emit(
                    .message(
                        Message(
                            itemId: itemId, nativeId: id, text: text.isEmpty ? streamed : text, parentItemId: parent,
                            isPartial: isPartial)))
            case "thinking":
                let (itemId, streamed) = closeBlock(.thinking, messageId: id, thread: parent ?? "")
                let text = block["thinking"]?.stringValue ?? ""
                guard !text.isEmpty || !streamed.isEmpty else { continue }
                emit(
                    .thinking(
                        itemId: itemId, nativeId: id, text: text.isEmpty ? streamed : text, parentItemId: parent))
            case "redacted_thinking":
                _ = closeBlock(nil, messageId: id, thread: parent ?? "")
            case "tool_use", "server_tool_use", "mcp_tool_use":
                _ = closeBlock(nil, messageId: id, thread: parent ?? "")
                toolCall(block, parent: parent)
            case .some(let type) where type.hasSuffix("_tool_result"):
                _ = closeBlock(nil, messageId: id, thread: parent ?? "")
                serverToolResult(block, parent: parent)
            default:
                _ = closeBlock(nil, messageId: id, thread: parent ?? "")
                custom("assistant", block)
            }
        }
    }

    private mutating func toolCall(_ block: JSON, parent: String?) {
        guard let id = block["id"]?.stringValue, let name = block["name"]?.stringValue else {
            return custom("assistant", block)
        }
        let arguments = block["input"] ?? [:]
        if tools.count >= ClaudeDecoder.tableLimit { tools.removeAll() }
        tools[id] = ToolRecord(name: name, arguments: arguments)
        emit(
            .toolCall(
                ToolCall(
                    itemId: id, nativeId: id, name: name, title: ClaudeTools.title(name, arguments),
                    toolKind: ClaudeTools.kind(name), arguments: arguments, parentItemId: parent)))
    }

    /// Web search and the like run at the provider; their results come within the assistant's message.
    private mutating func serverToolResult(_ block: JSON, parent: String?) {
        guard let id = block["tool_use_id"]?.stringValue else { return custom("assistant", block) }
        tools[id] = nil
        let content = block["content"] ?? .null
        let hasFailed = content["type"]?.stringValue?.hasSuffix("_error") ?? false
        emit(
            .toolResult(
                ToolResult(
                    itemId: id, nativeId: id, status: hasFailed ? .failed : .completed, content: content,
                    parentItemId: parent)))
    }

    // MARK: Blocks

    private mutating func openThread(_ key: String, messageId: String) {
        if threads.count >= ClaudeDecoder.tableLimit {
            for key in threads.keys.sorted() { flushOpenBlocks(of: key) }
        }
        threads[key] = Thread(messageId: messageId)
    }

    private mutating func append(_ text: String, to index: Int, of key: String) {
        // No copy of the block may be alive when it is added to: that would copy all that was streamed, for each piece.
        guard !text.isEmpty, let messageId = threads[key]?.messageId, let kind = threads[key]?.blocks[index]?.kind,
            threads[key]?.blocks[index]?.isClosed == false
        else { return }
        threads[key]?.blocks[index]?.text += text
        emit(.chunk(itemId: "\(messageId):\(index)", kind: kind, text: text))
    }

    /// The item that an `assistant` block closes: the first streamed block of its kind that is still open, else the
    /// next of the message; and what was streamed of it. Nil for what is never streamed as text: it only counts.
    private mutating func closeBlock(
        _ kind: ChunkKind?, messageId: String, thread key: String
    ) -> (itemId: String, streamed: String) {
        if threads[key]?.messageId != messageId {
            flushOpenBlocks(of: key)
            openThread(key, messageId: messageId)
        }
        var index = threads[key]?.next ?? 0
        var streamed = ""
        if let kind, let blocks = threads[key]?.blocks,
            let open = blocks.filter({ $0.value.kind == kind && !$0.value.isClosed }).keys.min()
        {
            index = open
            streamed = blocks[open]?.text ?? ""
            threads[key]?.blocks[open]?.isClosed = true
            threads[key]?.blocks[open]?.text = ""
        }
        threads[key]?.next = index &+ 1
        return ("\(messageId):\(index)", streamed)
    }

    /// What was streamed and never closed (the connection broke, the turn was cut off) is kept as partial.
    mutating func flushOpenBlocks(of key: String) {
        guard let thread = threads.removeValue(forKey: key) else { return }
        let parent = key.isEmpty ? nil : key
        for (index, block) in thread.blocks.sorted(by: { $0.key < $1.key }) where !block.isClosed && !block.text.isEmpty
        {
            let itemId = "\(thread.messageId):\(index)"
            if block.kind == .thinking {
                emit(.thinking(itemId: itemId, nativeId: thread.messageId, text: block.text, parentItemId: parent))
            } else {
                emit(
                    .message(
                        Message(
                            itemId: itemId, nativeId: thread.messageId, text: block.text, parentItemId: parent,
                            isPartial: true)))
            }
        }
    }

    /// Tokens in the context after the request that this usage is of.
    private mutating func noteContext(_ usage: JSON?) {
        guard let usage else { return }
        let names = ["input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens"]
        let input = names.reduce(0) { $0 &+ (usage[$1]?.intValue ?? 0) }
        let output = usage["output_tokens"]?.intValue ?? 0
        if input > 0 {
            contextInput = input
        }
        contextUsed = contextInput &+ output
    }

    mutating func noteModel(_ name: String) {
        guard name != "<synthetic>", name != model else { return }
        let isChange = model != nil
        model = name
        if isChange { emit(.status(type: "model_changed", data: ["model": JSON(name)])) }
    }

    mutating func noteMode(_ name: String) {
        guard name != mode else { return }
        let isChange = mode != nil
        mode = name
        if isChange { emit(.status(type: "mode_changed", data: ["mode": JSON(name)])) }
    }
}
