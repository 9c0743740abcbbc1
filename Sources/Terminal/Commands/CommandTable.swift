/// All commands, in the order of the help.
enum CommandTable {
    typealias Argument = Command.Argument
    typealias Option = Command.Option

    static let session = Argument(name: "ID", completes: .sessions)
    static let anySession = Argument(name: "ID", isOptional: true, completes: .sessions)

    static let all = daemon + conversations + sessions + administration + installation + programs

    /// Those for people.
    static let visible = all.filter { !$0.isHidden }
}
