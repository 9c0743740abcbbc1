import JSON

/// A session's mode: what Codex may do without asking, as its approval policy and its sandbox together.
package struct CodexMode: Equatable, Sendable {
    package var name: String
    /// `untrusted`, `on-request` or `never`.
    var approvalPolicy: String
    /// As `thread/start` names it.
    var sandbox: String
    /// As `turn/start` names it.
    var sandboxPolicy: String
    /// Codex's own collaboration mode: `default` or `plan`.
    var collaboration = "default"

    package static let all = [
        CodexMode(name: "read-only", approvalPolicy: "on-request", sandbox: "read-only", sandboxPolicy: "readOnly"),
        CodexMode(
            name: "auto", approvalPolicy: "on-request", sandbox: "workspace-write", sandboxPolicy: "workspaceWrite"),
        CodexMode(
            name: "untrusted", approvalPolicy: "untrusted", sandbox: "workspace-write",
            sandboxPolicy: "workspaceWrite"),
        CodexMode(
            name: "full-access", approvalPolicy: "never", sandbox: "danger-full-access",
            sandboxPolicy: "dangerFullAccess"),
        CodexMode(
            name: "plan", approvalPolicy: "on-request", sandbox: "read-only", sandboxPolicy: "readOnly",
            collaboration: "plan"),
    ]

    static let names = all.map(\.name)

    package static func named(_ name: String) -> CodexMode? { all.first { $0.name == name } }

    /// The mode that a thread's settings come to; nil when the person's own configuration makes another mixture.
    /// - Parameter settings: an answer to `thread/start` and its like, or `threadSettings` of a notification.
    static func of(_ settings: JSON) -> CodexMode? {
        let policy = settings["approvalPolicy"]?.stringValue
        let sandbox = (settings["sandbox"] ?? settings["sandboxPolicy"])?["type"]?.stringValue
        let collaboration = settings["collaborationMode"]?["mode"]?.stringValue ?? "default"
        return all.first {
            $0.approvalPolicy == policy && $0.sandboxPolicy == sandbox && $0.collaboration == collaboration
        }
    }
}
