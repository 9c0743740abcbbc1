import Base
package import HubProtocol
package import JSON

extension SessionState {
    /// The version of the checkpoint's form. One of another version is ignored, and the log is folded anew.
    private static let checkpointVersion = 6

    package var checkpoint: JSON {
        var object: JSONObject = [
            "v": JSON(SessionState.checkpointVersion), "providerId": JSON(providerId),
            "providerIds": JSON(providerIds), "titleGiven": JSON(isTitleGiven), "tags": JSON(tags),
            "updatedAt": .int(updatedAt.milliseconds), "lastSeq": JSON(lastSeq), "ledger": ledger.json,
            "budget": budget.json, "held": JSON(isHeld), "paused": JSON(isPaused), "archived": JSON(isArchived),
            "turns": JSON(turnCount),
            "resolved": JSON(resolvedRequests),
        ]
        object["title"] = title.map { JSON($0) }
        object["contextUsed"] = contextUsed.map { JSON($0) }
        object["contextWindow"] = contextWindow.map { JSON($0) }
        object["lastTurn"] = lastTurnStatus.map { JSON($0) }
        object["choices"] = .object(
            JSONObject(members: choices.sorted { $0.key < $1.key }.map { ($0, $1.json) }))
        object["memories"] = .object(
            JSONObject(members: memories.sorted { $0.key < $1.key }.map { ($0, $1.json) }))
        object["accepted"] = .object(
            JSONObject(
                members: accepted.sorted { $0.value.seq < $1.value.seq }
                    .map { ($0, [JSON($1.turnId), JSON($1.seq)]) }))
        object["queue"] = .array(queue.map(\.json))
        object["unfinished"] = unfinished?.json
        object["parked"] = parked?.record
        if let turn = runningTurn {
            object["turn"] = [
                JSON(turn.turnId), .int(turn.startedAt.milliseconds), JSON(turn.providerId),
                turn.message?.json ?? .null, turn.failure?.json ?? .null,
            ]
        }
        object["pending"] = .array(
            pending.map { request in
                var object: JSONObject = ["question": JSON(request.isQuestion), "data": .object(request.data)]
                object["turnId"] = request.turnId.map { JSON($0) }
                object["itemId"] = request.itemId.map { JSON($0) }
                object["providerId"] = request.providerId.map { JSON($0) }
                object["nativeId"] = request.nativeId.map { JSON($0) }
                return .object(object)
            })
        object["tools"] = .array(
            openTools.map { tool in
                var object: JSONObject = ["itemId": JSON(tool.itemId)]
                object["turnId"] = tool.turnId.map { JSON($0) }
                object["providerId"] = tool.providerId.map { JSON($0) }
                object["nativeId"] = tool.nativeId.map { JSON($0) }
                return .object(object)
            })
        return .object(object)
    }

    package init?(checkpoint json: JSON, header: LogHeader) {
        self.init(header: header)
        guard json["v"]?.intValue == SessionState.checkpointVersion,
            let providerId = json["providerId"]?.stringValue, let lastSeq = json["lastSeq"]?.intValue,
            let updatedAt = json["updatedAt"]?.intValue
        else { return nil }
        func strings(_ key: String) -> [String] { json[key]?.arrayValue?.compactMap(\.stringValue) ?? [] }
        self.providerId = providerId
        providerIds = strings("providerIds")
        title = json["title"]?.stringValue
        isTitleGiven = json["titleGiven"]?.boolValue ?? false
        tags = strings("tags")
        self.updatedAt = Timestamp(milliseconds: Int64(updatedAt))
        self.lastSeq = lastSeq
        guard let ledger = json["ledger"].flatMap({ UsageLedger($0) }) else { return nil }
        self.ledger = ledger
        budget = SessionBudget(json["budget"] ?? [:])
        contextUsed = json["contextUsed"]?.intValue
        contextWindow = json["contextWindow"]?.intValue
        lastTurnStatus = json["lastTurn"]?.stringValue
        isHeld = json["held"]?.boolValue ?? false
        isPaused = json["paused"]?.boolValue ?? false
        isArchived = json["archived"]?.boolValue ?? false
        turnCount = json["turns"]?.intValue ?? 0
        resolvedRequests = strings("resolved")
        for (key, value) in json["choices"]?.objectValue ?? [:] { choices[key] = Choice(value) }
        for (key, value) in json["memories"]?.objectValue ?? [:] { memories[key] = ProviderMemory(value) }
        for (key, value) in json["accepted"]?.objectValue ?? [:] {
            guard let turnId = value[0]?.stringValue, let seq = value[1]?.intValue else { return nil }
            accepted[key] = Accepted(turnId: turnId, seq: seq)
        }
        for entry in json["queue"]?.arrayValue ?? [] {
            guard let message = QueuedMessage(entry) else { return nil }
            queue.append(message)
        }
        unfinished = json["unfinished"].flatMap { UnfinishedTurn($0) }
        parked = json["parked"]?.objectValue.flatMap { ParkedTurn($0) }
        if let turn = json["turn"], !turn.isNull {
            guard let turnId = turn[0]?.stringValue, let startedAt = turn[1]?.intValue,
                let providerId = turn[2]?.stringValue
            else { return nil }
            runningTurn = RunningTurn(
                turnId: turnId, startedAt: Timestamp(milliseconds: Int64(startedAt)), providerId: providerId,
                message: turn[3].flatMap { QueuedMessage($0) }, failure: turn[4].flatMap { FailureMark($0) })
        }
        for entry in json["pending"]?.arrayValue ?? [] {
            guard let data = entry["data"]?.objectValue, let requestId = data["requestId"]?.stringValue else {
                return nil
            }
            pending.append(
                PendingRequest(
                    requestId: requestId, isQuestion: entry["question"]?.boolValue ?? false,
                    turnId: entry["turnId"]?.stringValue, itemId: entry["itemId"]?.stringValue,
                    providerId: entry["providerId"]?.stringValue, nativeId: entry["nativeId"]?.stringValue, data: data))
        }
        for entry in json["tools"]?.arrayValue ?? [] {
            guard let itemId = entry["itemId"]?.stringValue else { return nil }
            openTools.append(
                OpenTool(
                    itemId: itemId, turnId: entry["turnId"]?.stringValue,
                    providerId: entry["providerId"]?.stringValue, nativeId: entry["nativeId"]?.stringValue))
        }
    }
}

extension SessionState.Choice {
    var json: JSON {
        var object: JSONObject = [:]
        object["model"] = model.map { JSON($0) }
        object["mode"] = mode.map { JSON($0) }
        object["effort"] = effort.map { JSON($0) }
        return .object(object)
    }

    init(_ json: JSON) {
        model = json["model"]?.stringValue
        mode = json["mode"]?.stringValue
        effort = json["effort"]?.stringValue
    }
}
