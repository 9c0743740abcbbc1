/// Provider identifiers are free, but these have shorter names that are accepted on input.
package enum ProviderID {
    package static let claude = "claudeCodeCli"
    package static let codex = "codexCli"
    package static let gemini = "geminiCli"
    package static let echo = "echo"

    /// The identifier that a name given by a client means.
    package static func resolve(_ name: String) -> String {
        switch name {
        case "claude": claude
        case "codex": codex
        case "gemini": gemini
        default: name
        }
    }
}
