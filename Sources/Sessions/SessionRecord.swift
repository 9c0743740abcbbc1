import Base
package import HubProtocol
package import JSON

extension SessionState {
    /// The session record, without its messages.
    package var record: JSONObject {
        var object: JSONObject = [
            "id": JSON(sessionId), "providerId": JSON(providerId), "providerIds": JSON(providerIds),
            "title": title.map { JSON($0) } ?? .null, "status": JSON(status.rawValue), "workspace": JSON(workspace),
            "model": model.map { JSON($0) } ?? .null, "mode": mode.map { JSON($0) } ?? .null,
            "effort": effort.map { JSON($0) } ?? .null, "tags": JSON(tags),
            "createdAt": JSON(createdAt.description), "updatedAt": JSON(updatedAt.description),
            "lastSeq": JSON(lastSeq),
        ]
        var usage: JSONObject = [
            "input": JSON(ledger.total.input), "output": JSON(ledger.total.output),
            "cached": JSON(ledger.total.cached),
        ]
        usage["contextUsed"] = contextUsed.map { JSON($0) }
        usage["contextWindow"] = contextWindow.map { JSON($0) }
        object["usage"] = .object(usage)
        object["usageByProvider"] = .object(
            JSONObject(members: ledger.byProvider.sorted { $0.key < $1.key }.map { ($0, .object($1.json)) }))
        object["costUsd"] = JSON(ledger.total.cost.usd)
        object["costEstimated"] = JSON(ledger.total.isEstimated)
        object["budgetUsd"] = budget.own.map { JSON($0.usd) } ?? .null
        object["queue"] = .array(
            queue.enumerated().map { index, message in
                var object: JSONObject = [
                    "turnId": JSON(message.turnId), "content": JSON(message.preview), "position": JSON(index + 1),
                ]
                object["providerId"] = message.providerId.map { JSON($0) }
                object["clientMessageId"] = message.clientMessageId.map { JSON($0) }
                object["retryOf"] = message.retryOf.map { JSON($0) }
                return .object(object)
            })
        object["turn"] =
            runningTurn.map {
                [
                    "turnId": JSON($0.turnId), "startedAt": JSON($0.startedAt.description),
                    "providerId": JSON($0.providerId),
                ]
            } ?? .null
        object["held"] = JSON(isHeld)
        if budget.isHolding { object["heldBy"] = "budget" }
        object["paused"] = JSON(isPaused)
        object["archived"] = JSON(isArchived)
        object["parked"] = parked?.record ?? .null
        object["retryable"] = unfinished.map { JSON($0.turnId) } ?? .null
        return object
    }

    /// What waits for an answer, each as its request was published.
    package var pendingJSON: [JSON] {
        pending.map { request in
            var object: JSONObject = [
                "type": request.isQuestion ? "question" : "permission", "sessionId": JSON(sessionId),
            ]
            object["turnId"] = request.turnId.map { JSON($0) }
            object["itemId"] = request.itemId.map { JSON($0) }
            object["providerId"] = request.providerId.map { JSON($0) }
            object["nativeId"] = request.nativeId.map { JSON($0) }
            return .object(object.merging(request.data))
        }
    }
}

extension EventRecord {
    /// The payload of a `session:message` frame.
    package func messagePayload(sessionId: String) -> JSONObject {
        var object: JSONObject = [
            "id": JSON(id), "sessionId": JSON(sessionId), "role": data["role"] ?? "assistant",
            "content": data["content"] ?? "", "timestamp": JSON(timestamp.description), "seq": JSON(seq),
        ]
        object["turnId"] = turnId.map { JSON($0) }
        object["itemId"] = itemId.map { JSON($0) }
        object["providerId"] = draft.providerId.map { JSON($0) }
        for key in EventRecord.rarerMessageMembers { object[key] = data[key] }
        return object
    }

    /// What only some messages have, in the order of the payload.
    package static let rarerMessageMembers = [
        "clientMessageId", "attachments", "steer", "parentItemId", "partial", "by",
    ]
}
