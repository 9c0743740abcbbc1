/// For other programs, and for whoever looks for help.
extension CommandTable {
    static let programs: [Command] = [
        Command(
            name: "acp",
            options: [
                Option(
                    "provider", "p", value: "ID", help: "The provider of new sessions", completes: .providers),
                Option("model", "m", value: "MODEL", help: "The provider's model"),
                Option("mode", value: "MODE", help: "The provider's permission mode"),
            ],
            help: "Be an agent for an editor that speaks the Agent Client Protocol",
            details: """
                Started by Zed, JetBrains, Neovim, Emacs and others, which show the daemon's sessions as an agent's, live \
                with all other clients. It speaks on standard input and output and ends with the editor; sessions go on. \
                Without a provider it is Claude Code when that is installed and logged in, else echo.
                """,
            run: EditorCommand.serve),
        Command(
            name: "completions",
            arguments: [Argument(name: "SHELL", completes: .words(CompletionScript.allCases.map(\.rawValue)))],
            help: "Print what makes a shell complete this program's command lines",
            details: """
                SHELL is bash, zsh or fish; the first lines of what is printed say where it belongs. Sessions and providers \
                are those of a running daemon; none is started.
                """,
            run: ShellCommands.completions),
        Command(
            name: "man",
            arguments: [
                Argument(name: "PAGE", isOptional: true, completes: .words(ManualPage.names))
            ],
            options: [
                Option("output", "o", value: "DIR", help: "Write all pages into man1 and man5 in this folder")
            ],
            help: "Print a page of the manual for man",
            details: """
                PAGE is codeai-hub (the default), codeai-hub-core or codeai-hub-config. To read it: codeai-hub man | man -l \
                -. With --output ~/.local/share/man, man codeai-hub finds it.
                """,
            run: ShellCommands.manual),
        Command(
            name: "help", arguments: [Argument(name: "COMMAND", isOptional: true, completes: .commands)],
            help: "Print this help, or that of a command", run: HelpText.run),
        Command(name: "version", help: "Print the program's version, as --version does", run: HelpText.version),
        Command(
            name: "__complete", arguments: [Argument(name: "WORD", isOptional: true, isRepeated: true)],
            help: "Say what can stand on a command line, for shells", isHidden: true, run: ShellCommands.complete),
    ]
}
