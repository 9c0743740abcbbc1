import JSON
import Providers

/// The to-do list as Claude's tools build it: `TodoWrite` replaces it whole, `TaskCreate`, `TaskUpdate` and `TaskList`
/// keep it step by step.
struct ClaudeTaskList: Sendable {
    private struct Task {
        var id: String
        var subject: String
        var status: String
    }

    private var tasks: [Task] = []
    private static let limit = 1000

    /// The whole list after a successful call of `tool`; nil when the call didn't change it.
    mutating func apply(tool: String, arguments: JSON, result: JSON) -> [PlanEntry]? {
        switch tool {
        case "TodoWrite":
            guard let todos = result["newTodos"]?.arrayValue ?? arguments["todos"]?.arrayValue else { return nil }
            return todos.map { entry($0["content"]?.stringValue ?? "", $0["status"]?.stringValue) }
        case "TaskCreate":
            guard let task = result["task"], let id = identifier(task["id"]) else { return nil }
            upsert(id, subject: task["subject"]?.stringValue ?? arguments["subject"]?.stringValue, status: "pending")
        case "TaskUpdate":
            guard let id = identifier(result["taskId"] ?? arguments["taskId"]),
                result["success"]?.boolValue != false
            else { return nil }
            let status = result["statusChange"]?["to"]?.stringValue ?? arguments["status"]?.stringValue
            if status == "deleted" {
                tasks.removeAll { $0.id == id }
            } else {
                upsert(id, subject: arguments["subject"]?.stringValue, status: status)
            }
        case "TaskList":
            guard let list = result["tasks"]?.arrayValue else { return nil }
            tasks = []
            for task in list {
                guard let id = identifier(task["id"]) else { continue }
                upsert(id, subject: task["subject"]?.stringValue, status: task["status"]?.stringValue)
            }
        default:
            return nil
        }
        return tasks.map { entry($0.subject, $0.status) }
    }

    private func identifier(_ json: JSON?) -> String? {
        json?.stringValue ?? json?.intValue.map { String($0) }
    }

    private mutating func upsert(_ id: String, subject: String?, status: String?) {
        if let index = tasks.firstIndex(where: { $0.id == id }) {
            if let subject { tasks[index].subject = subject }
            if let status { tasks[index].status = status }
        } else if tasks.count < ClaudeTaskList.limit {
            // One that was made before a resume: its subject is in the earlier log only.
            tasks.append(Task(id: id, subject: subject ?? "Task #\(id)", status: status ?? "pending"))
        }
    }

    private func entry(_ content: String, _ status: String?) -> PlanEntry {
        let known = status.flatMap { ["pending", "in_progress", "completed"].contains($0) ? $0 : nil }
        return PlanEntry(content: content, status: known ?? "pending")
    }
}
