import JSON

/// How Claude Code's own tools are shown.
enum ClaudeTools {
    /// One line for people.
    static func title(_ name: String, _ arguments: JSON) -> String {
        func argument(_ key: String) -> String? { arguments[key]?.stringValue }
        let text: String? =
            switch name {
            case "Bash", "Monitor": argument("command")
            case "Read", "Write", "Edit", "MultiEdit": argument("file_path").map { "\(name) \($0)" }
            case "NotebookEdit": argument("notebook_path").map { "Edit \($0)" }
            case "Glob", "Grep", "ToolSearch": (argument("pattern") ?? argument("query")).map { "\(name) \($0)" }
            case "LS": argument("path").map { "List \($0)" }
            case "WebFetch": argument("url").map { "Fetch \($0)" }
            case "WebSearch", "web_search": argument("query").map { "Search \($0)" }
            case "Agent", "Task": argument("description")
            case "TaskCreate": argument("subject").map { "Add task: \($0)" }
            case "TodoWrite", "TaskUpdate", "TaskList": "Update the to-do list"
            case "AskUserQuestion": arguments["questions"]?[0]?["question"]?.stringValue
            case "ExitPlanMode": "Ready to leave plan mode"
            case "Skill": argument("skill").map { "Skill \($0)" }
            default: nil
            }
        return oneLine(text ?? name, limit: 200)
    }

    /// ACP's tool kinds, and `agent`.
    static func kind(_ name: String) -> String {
        switch name {
        case "Read", "LS", "NotebookRead": "read"
        case "Write", "Edit", "MultiEdit", "NotebookEdit": "edit"
        case "Glob", "Grep", "ToolSearch": "search"
        case "Bash", "BashOutput", "KillShell", "Monitor": "execute"
        case "WebFetch", "WebSearch", "web_search", "web_fetch": "fetch"
        case "Agent", "Task": "agent"
        case "TodoWrite", "TaskCreate", "TaskUpdate", "TaskList", "TaskGet", "ExitPlanMode", "EnterPlanMode": "think"
        default: "other"
        }
    }

    static func oneLine(_ text: String, limit: Int) -> String {
        let line = text.prefix { !$0.isNewline }
        let isCut = line.endIndex != text.endIndex
        guard line.count > limit else { return isCut ? line + " …" : String(line) }
        return line.prefix(limit) + "…"
    }
}
