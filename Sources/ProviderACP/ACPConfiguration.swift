package import Processes

/// How an agent is run. Times have defaults that suit programs that load an interpreter first.
package struct ACPConfiguration: Sendable {
    package var executable: String
    package var arguments: [String]
    /// The agent's whole environment.
    package var environment: [String: String]
    /// The agent's name for people, in messages.
    package var name = "The agent"
    /// What the agent is told about us.
    package var clientName = "codeai-hub"
    package var clientVersion = "0"
    /// From the start of the process to the session; vibe takes 4 s, a first start of others much longer.
    package var startTimeout: Duration = .seconds(60)
    /// From `session/cancel` to the turn's end; after that the process is ended.
    package var cancelTimeout: Duration = .seconds(10)
    /// A turn that nobody sent is over when nothing has come for so long.
    package var quietPeriod: Duration = .seconds(2)
    /// A history that is replayed after the answer to `session/load` is over when nothing has come for so long.
    package var replayQuietPeriod: Duration = .milliseconds(250)
    /// The longest prompt in bytes; a longer one is refused.
    package var maximumPromptBytes = 16 * 1024 * 1024
    /// The longest line that is read; agents send whole files in one.
    package var maximumLineBytes = 64 * 1024 * 1024
    /// Whether the token figures in the answer to a prompt are the session's totals (as the schema says and
    /// mistral-vibe does) or the turn's own.
    package var tokensAreCumulative = true
    /// Whether the agent may read and write the workspace's files through us.
    package var servesFiles = true
    /// Whether the agent may have commands run by us, in the workspace.
    package var servesTerminals = true
    /// The largest file that is read or written for the agent, in bytes.
    package var maximumFileBytes = 4 << 20
    /// The most terminals that there are at once, not released or still running.
    package var maximumTerminals = 32
    /// The most that is kept of a terminal's output, in bytes, whatever the agent asks for.
    package var maximumTerminalOutputBytes = 1 << 20
    /// Ways to log in that need no person: the method's identifier and the variables that have to be set for it.
    package var authentication: [String: [String]] = [:]
    /// Tried instead of `arguments` when the program ends before it has said anything.
    package var olderArguments: [String]?
    /// What is wrong with the manifest's options; nothing is started then.
    package var problem: String?
    package var ladder = TeardownLadder.default

    package init(executable: String, arguments: [String] = [], environment: [String: String] = [:]) {
        self.executable = executable
        self.arguments = arguments
        self.environment = environment
    }
}
