/// What to start.
package struct ProcessSpecification: Sendable, Equatable {
    /// A path, or a name that is looked up in the `PATH` of `environment`.
    package var executable: String
    /// Without the program's own name.
    package var arguments: [String]
    /// The whole environment of the child; nothing is inherited.
    package var environment: [String: String]
    /// nil: the daemon's own.
    package var workingDirectory: String?

    package init(
        executable: String, arguments: [String] = [], environment: [String: String] = [:],
        workingDirectory: String? = nil
    ) {
        self.executable = executable
        self.arguments = arguments
        self.environment = environment
        self.workingDirectory = workingDirectory
    }
}

/// The steps that end a process, and how long each is given before the next one.
package struct TeardownLadder: Sendable, Equatable {
    /// After the polite request and the end of its input.
    package var polite: Duration
    /// After SIGTERM to its process group; then SIGKILL to the group and to all descendants.
    package var terminate: Duration

    package init(polite: Duration, terminate: Duration) {
        self.polite = polite
        self.terminate = terminate
    }

    /// 2 s to end by itself, 3 s after SIGTERM.
    package static let `default` = TeardownLadder(polite: .seconds(2), terminate: .seconds(3))
    /// SIGKILL at once.
    package static let immediate = TeardownLadder(polite: .zero, terminate: .zero)
}
