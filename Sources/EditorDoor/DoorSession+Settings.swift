import ACPMessages
import Client
import HubProtocol
import JSON

extension DoorSession {
    /// Sets the agent, its mode, model or effort.
    /// - Parameter result: the answer, made of the choices as they are then.
    func choose(
        _ option: SessionChoices.Option, _ value: String, _ request: EditorRequest,
        result: @escaping (SessionChoices) -> JSONObject
    ) throws(ACPError) {
        guard choices.offers(value, for: option) else {
            throw .invalidParameters("\(value) is not among the values of \(option.rawValue)")
        }
        guard value != SessionChoices.unset else { return request.succeed(result(choices)) }
        let change: (method: String, path: String, body: JSON) =
            option == .agent
            ? ("POST", "/sessions/\(id)/provider", ["providerId": JSON(value)])
            : ("PATCH", "/sessions/\(id)", .object(JSONObject(members: [(option.rawValue, JSON(value))])))
        door.link.call(change.method, change.path, change.body) { [weak self] answer in
            switch answer {
            case .success(let record):
                guard let self else { return request.succeed() }
                self.changed(to: record)
                request.succeed(result(self.choices))
            case .failure(let error): request.fail(ACPError(error))
            }
        }
    }

    /// The daemon's record of the session: what of it the editor shows is told when it is new.
    func changed(to record: JSON) {
        let former = choices
        choices.take(record: record)
        let formerCost = narrator.costUsd
        narrator.costUsd = record["costUsd"]?.doubleValue
        guard isLive else {
            title = record["title"]?.stringValue ?? title
            return
        }
        if let title = record["title"]?.stringValue, title != self.title {
            self.title = title
            var update: JSONObject = ["sessionUpdate": "session_info_update", "title": JSON(title)]
            update["updatedAt"] = record["updatedAt"]
            tell(update)
        }
        if narrator.costUsd != formerCost, let usage = narrator.usageWithCost { tell(usage) }
        guard choices != former else { return }
        if choices.mode != former.mode, let mode = choices.mode {
            tell(["sessionUpdate": "current_mode_update", "currentModeId": JSON(mode)])
        }
        tell(choices.optionsUpdate)
    }
}
