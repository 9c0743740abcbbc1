extension TestDaemon {
    /// Runs the person's tool on this home, to its end.
    /// - Parameters:
    ///   - more: variables beside the daemon's own, or in place of them.
    ///   - whileRunning: called with it until it says that nothing more is to be done.
    package func tool(
        _ arguments: [String], environment more: [String: String] = [:],
        whileRunning: (RunningProgram) throws -> Bool = { _ in true }
    ) throws -> ProgramRun {
        let program = try RunningProgram(
            TestDaemon.programs + "/codeai-hub", arguments, environment: environment.merging(more) { $1 },
            in: folder.path)
        var isDone = false
        try eventually("\(arguments) ends: \(program.soFar.text)", within: .seconds(120)) {
            if !isDone { isDone = try whileRunning(program) }
            return !program.isRunning
        }
        return program.soFar
    }
}
