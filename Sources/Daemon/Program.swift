import EchoAgent

/// The daemon's program: what its command line asks for, done.
package enum Program {
    /// - Parameter arguments: without the program's name.
    /// - Returns: the exit code of the process.
    package static func run(_ arguments: [String]) -> Int32 {
        if arguments.first == "echo-agent" { return EchoAgent.run() }
        return 0
    }
}
