/// Finding sessions, and talking in them.
extension CommandTable {
    private static let quiet = Option("quiet", "q", help: "Print the agent's words only, without tools and thoughts")

    static let conversations: [Command] = [
        Command(
            name: "sessions",
            options: [
                Option("limit", "n", value: "N", help: "At most so many; default 20"),
                Option(
                    "status", value: "STATUS", help: "Only those that are idle, running, waiting, failed or parked",
                    completes: .words(["idle", "running", "waiting", "failed", "parked"])),
                Option("query", value: "TEXT", help: "Only those whose title contains the text"),
                Option("archived", help: "Those that are archived, in place of the others"),
                Option(
                    "after", value: "ID", help: "Go on after this session, the last one of the page before",
                    completes: .sessions),
            ],
            help: "List the sessions, newest first",
            details: "With --json, next is what to give as --after for the page that follows.",
            run: SessionCommands.list),
        Command(
            name: "search", arguments: [Argument(name: "TEXT", isRepeated: true)],
            options: [
                Option("limit", "n", value: "N", help: "At most so many, 1 to 1000; default 20"),
                Option("session", "s", value: "ID", help: "Only in this session", completes: .sessions),
                Option("after", value: "CURSOR", help: "Go on after the page before, whose --json names it as next"),
            ],
            help: "Find what was said in the sessions, newest first",
            details: """
                All words must be there; "words in double quotes", which the shell must leave on, stand together; the \
                last word may be the beginning of one. Found are titles, messages, tool calls and errors.
                """,
            run: SearchCommands.search),
        Command(
            name: "new",
            arguments: [
                Argument(name: "PROVIDER", isOptional: true, completes: .providers),
                Argument(name: "PROMPT", isOptional: true, isRepeated: true),
            ],
            options: [
                Option(
                    "provider", "p", value: "ID", help: "The provider, so that all words are the prompt",
                    completes: .providers),
                Option("model", "m", value: "MODEL", help: "The provider's model"),
                Option("mode", value: "MODE", help: "The provider's permission mode"),
                Option("title", value: "TITLE", help: "The session's title"),
                Option("workspace", "w", value: "DIR", help: "The folder the agent works in; default: this one"),
                quiet,
            ],
            help: "Open a session and, with a prompt, send it",
            details: """
                Without a provider it is Claude Code when that is installed and logged in, else echo. On a terminal the \
                session is then attached. Elsewhere the answer is printed and the command ends with the turn; a \
                prompt of - is read from standard input; without a prompt the new session's ID is printed.
                """,
            handlesSignals: true, run: ConversationCommands.new),
        Command(
            name: "attach", arguments: [anySession],
            help: "Show a session live and write to it; the last one when no ID is given",
            details: """
                Control-C interrupts the running turn, Control-D leaves the session running, /help lists the rest. \
                Without a terminal it prints what happens until it is ended.
                """,
            handlesSignals: true, run: ConversationCommands.attach),
        Command(
            name: "send", arguments: [session, Argument(name: "TEXT", isRepeated: true)],
            options: [
                Option("wait", help: "Print the answer and end with the turn"),
                Option("reject", help: "Fail when a turn runs, where the message would else be queued"),
                Option("steer", help: "Add it to the running turn, where the provider can; else it is queued"), quiet,
            ],
            help: "Send a message to a session", details: "A text of - is read from standard input.",
            handlesSignals: true, run: ConversationCommands.send),
        Command(
            name: "approve", arguments: [anySession],
            options: [
                Option("always", help: "Allow it from now on, where the provider offers that"),
                Option("option", value: "X", help: "Choose one of the offered options by its id, label or number"),
                Option("request", value: "ID", help: "The request, when several wait; default: the oldest"),
            ],
            help: "Allow what a session asks permission for",
            details: "The ID can be left out when only one session waits.", run: RequestCommands.approve),
        Command(
            name: "deny", arguments: [anySession],
            options: [
                Option("always", help: "Reject it from now on, where the provider offers that"),
                Option("message", value: "M", help: "Tell the agent why"),
                Option("request", value: "ID", help: "The request, when several wait; default: the oldest"),
            ],
            help: "Reject what a session asks permission for", run: RequestCommands.deny),
        Command(
            name: "answer", arguments: [session, Argument(name: "ANSWER", isOptional: true, isRepeated: true)],
            options: [
                Option("decline", help: "Refuse to answer"),
                Option("request", value: "ID", help: "The request, when several wait; default: the oldest"),
            ],
            help: "Answer a session's question; without an answer, show it",
            details: """
                One ANSWER for each question asked: an option's number or label, several separated by commas where \
                several may be chosen, or a text where one is taken.
                """,
            run: RequestCommands.answer),
        Command(
            name: "interrupt", arguments: [session], help: "Interrupt a session's running turn",
            run: SessionCommands.interrupt),
        Command(
            name: "retry", arguments: [session],
            options: [
                Option("later", help: "When the error says that it makes sense, else in a minute"),
                Option("after", value: "SECONDS", help: "In so many seconds"),
                Option("at", value: "TIME", help: "At a time such as 2026-11-21T10:00:00.000Z"),
            ],
            help: "Try the message again whose turn failed or was interrupted",
            details: "Later, it is tried once by itself; a new message, resume or another provider ends that.",
            run: RecoveryCommands.retry),
        Command(
            name: "switch", arguments: [session, Argument(name: "PROVIDER", completes: .providers)],
            options: [
                Option("model", "m", value: "MODEL", help: "The provider's model"),
                Option("mode", value: "MODE", help: "The provider's permission mode"),
                Option("effort", value: "EFFORT", help: "How hard the model thinks"),
                Option("retry", help: "Have it try the message again whose turn failed"),
            ],
            help: "Go on with another provider, which is told what was said",
            run: RecoveryCommands.switchProvider),
    ]
}
