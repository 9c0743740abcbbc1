/// All commands, in the order of the help.
enum CommandTable {
    private typealias Argument = Command.Argument
    private typealias Option = Command.Option

    private static let session = Argument(name: "ID", completes: .sessions)
    private static let anySession = Argument(name: "ID", isOptional: true, completes: .sessions)
    private static let quiet = Option("quiet", "q", help: "Print the agent's words only, without tools and thoughts")

    private static let trust = [
        Option("key", value: "FILE", help: "Trust this public key, too; updates.keys is for always"),
        Option("allow-unsigned", help: "Take a manifest without signature from this machine: for builds of your own"),
    ]
    private static let going = [
        Option("no-restart", help: "Leave a daemon that runs as it is until its next start"),
        Option("watch", value: "SECONDS", help: "How long the new daemon is watched; default 10"),
    ]

    static let all: [Command] = [
        Command(name: "start", help: "Start the daemon when none runs", run: AdministrationCommands.start),
        Command(
            name: "stop", options: [Option("grace", value: "MS", help: "How long running turns may take to end")],
            help: "Stop the daemon; its sessions stay and go on later", run: AdministrationCommands.stop),
        Command(
            name: "restart",
            options: [
                Option(
                    "grace", value: "MS", help: "How long running turns may take to end; default: as in the settings")
            ],
            help: "Have the installed version take the daemon's place, and wait until it answers",
            details: """
                No connection is refused meanwhile, clients come back by themselves, and what was queued goes on; a turn \
                that doesn't end within the grace is interrupted. A version that can't run is found out before anything \
                is ended. When no daemon runs, one is started.
                """,
            run: RestartCommand.run),
        Command(
            name: "open", arguments: [anySession],
            options: [
                Option(
                    "print", help: "Print the address only; with security.loopback \"token\" it works once, for 30 s")
            ],
            help: "Open the web client in the browser, and a session in it",
            details: """
                The daemon is started when none runs. The browser is that of $BROWSER, else the desktop's. Where the daemon \
                asks everybody for the token, the browser gets a ticket by way of a file that only you can read.
                """,
            run: OpenCommand.run),
        Command(
            name: "status", help: "Show the daemon, what runs, and what waits for an answer",
            run: AdministrationCommands.status),
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
        Command(
            name: "fork", arguments: [session],
            options: [
                Option("at", value: "SEQ", help: "The last event of the copy; without it, the newest"),
                Option("title", value: "TITLE", help: "Its title"),
            ],
            help: "Go on from a point of a session in a copy of it; prints the copy's ID",
            run: RecoveryCommands.fork),
        Command(
            name: "pause", arguments: [session], help: "Begin no turn of a session until it is resumed",
            run: RecoveryCommands.pause),
        Command(
            name: "resume", arguments: [session],
            help: "End a pause, let a held queue go on, give up what was to be tried again later",
            run: RecoveryCommands.resume),
        Command(
            name: "queue", arguments: [session, Argument(name: "TURN", isOptional: true, isRepeated: true)],
            options: [Option("withdraw", help: "Take the named messages back")],
            help: "Show what waits in a session; with TURNs, have them come first in that order",
            run: RecoveryCommands.queue),
        Command(
            name: "rename", arguments: [session, Argument(name: "TITLE", isRepeated: true)],
            help: "Give a session another title", run: SessionCommands.rename),
        Command(
            name: "archive", arguments: [session],
            help: "Put a session away: it is not listed with the others, and still found",
            details: "A message to it takes it out again.", run: SessionCommands.archive),
        Command(
            name: "unarchive", arguments: [session], help: "Take an archived session out again",
            run: SessionCommands.unarchive),
        Command(
            name: "set", arguments: [session],
            options: [
                Option("model", "m", value: "MODEL", help: "The provider's model"),
                Option("mode", value: "MODE", help: "The provider's permission mode"),
                Option("effort", value: "EFFORT", help: "How hard the model thinks"),
                Option("title", value: "TITLE", help: "The title"),
                Option("tags", value: "TAGS", help: "The tags, between commas; none when it is empty"),
                Option("budget", value: "USD", help: "What it may cost; 0: no limit, default: as the settings say"),
            ],
            help: "Change a session; without options, print its record as JSON",
            details: "What a running turn can't take up counts from the next one on.", run: SessionCommands.set),
        Command(
            name: "delete", arguments: [session], options: [Option("yes", "y", help: "Don't ask")],
            help: "Delete a session and its log", details: "Its log is moved to the daemon's backups for a while.",
            run: SessionCommands.delete),
        Command(
            name: "undelete", arguments: [Argument(name: "ID")],
            help: "Bring a deleted session back, as long as it is among the backups",
            details: "A beginning of its ID is enough; backup --list has them.", run: BackupCommands.undelete),
        Command(
            name: "log", arguments: [session],
            options: [
                Option("follow", "f", help: "Go on with what happens, until ended"),
                Option("after", value: "SEQ", help: "Only events after this one"),
            ],
            help: "Print a session's log", details: "With --json each line is an event as it is in the log.",
            handlesSignals: false, run: SessionCommands.log),
        Command(
            name: "export", arguments: [session],
            options: [
                Option(
                    "format", value: "FORMAT", help: "jsonl, which can be imported again, or markdown; default jsonl",
                    completes: .words(["jsonl", "markdown"])),
                Option("output", "o", value: "FILE", help: "The file to write; default: standard output"),
            ],
            help: "Write a session's log to a file", details: "A file that is there is replaced when all has come.",
            run: ArchiveCommands.export),
        Command(
            name: "import", arguments: [Argument(name: "FILE|ID", isOptional: true, completes: .files)],
            options: [
                Option(
                    "from", value: "PROVIDER", help: "From the sessions that claude or codex keeps by itself",
                    completes: .words(["claude", "codex"])),
                Option("list", "l", help: "List what can be imported, newest first"),
                Option("limit", "n", value: "N", help: "List at most so many; default 20"),
            ],
            help: "Make a session of an exported log, or of one that was made outside",
            details: """
                With --from, the ID is that of a session in the list; a beginning that no other has is enough. A session \
                that was imported before is not imported again; its ID is printed. A FILE of - is standard input.
                """,
            run: ArchiveCommands.importSession),
        Command(
            name: "providers",
            arguments: [
                Argument(
                    name: "ACTION", isOptional: true,
                    completes: .words([
                        "list", "show", "install", "remove", "check", "login", "enable", "disable", "update",
                        "rollback",
                    ])),
                Argument(name: "ID", isOptional: true, completes: .providers),
            ],
            options: [
                Option("recipe", value: "NAME", help: "How to install; default: the first recipe that can be used"),
                Option(
                    "version", value: "V",
                    help: "The version of the recipe's package, default: the newest; of the module to go back to"),
                Option("check", help: "With update: only say what there is"),
                Option("yes", "y", help: "With update: don't ask"),
                Option("from", value: "SOURCE", help: "With update: as with install of the core", completes: .files),
            ] + trust,
            help: "List, install, log in to, enable and disable providers",
            details: """
                ACTION is list (the default), show, install (again to update), remove, check, login, enable, disable, \
                update or rollback. install shows what goes on and ends with it; Control-C cancels it, and what was \
                installed before stays. login runs the vendor's own login in this terminal. update brings newer modules, \
                which say how agents are run, of one provider or of all; nothing restarts. rollback goes back to the module \
                before.
                """,
            handlesSignals: true, run: ProviderCommands.run),
        Command(
            name: "usage",
            options: [
                Option("from", value: "DAY", help: "The first day, YYYY-MM-DD; default: 29 days before the last"),
                Option("to", value: "DAY", help: "The last day; default: today"),
                Option(
                    "by", value: "WHAT", help: "A line for each day, provider, session or model; default: day",
                    completes: .words(["day", "provider", "session", "model"])),
            ],
            help: "Show the tokens and the money that sessions have used",
            details: """
                Days are those of UTC. A ~ stands before money that is wholly or partly estimated from list prices, \
                since the provider reported none; a + after it says that turns are missing whose price nobody knows. \
                Deleted sessions count.
                """,
            run: UsageCommand.run),
        Command(
            name: "config",
            arguments: [
                Argument(
                    name: "ACTION", isOptional: true,
                    completes: .words(["get", "set", "unset", "edit", "path", "check", "schema"])),
                Argument(name: "KEY", isOptional: true, completes: .settings),
                Argument(name: "VALUE", isOptional: true),
            ],
            help: "Show, change and check the settings",
            details: """
                ACTION is get (the default; with a KEY that one alone), set KEY VALUE, unset KEY (back to the default), \
                edit, path, check (or check FILE) or schema. A list is words between commas or JSON, variables of a \
                provider are JSON. A running daemon sets what clients may set and says so to all; what only the file may \
                set, and everything when none runs, is written into the file, and a daemon takes it up within 2 s. edit \
                opens a copy in $VISUAL or $EDITOR and lets it take the file's place when it has no mistake.
                """,
            run: ConfigCommands.run),
        Command(
            name: "doctor",
            options: [Option("fix", help: "Mend what can be mended without harm: permissions, stale files")],
            help: "Look for what is wrong, and say how to mend it",
            details: """
                Home, token, configuration, port, daemon, providers, sessions, left processes, disk, program, service and \
                terminal, with or without a running daemon. It ends with 1 when there is a problem; warnings are none.
                """,
            run: DoctorCommand.run),
        Command(
            name: "service",
            arguments: [
                Argument(
                    name: "ACTION", isOptional: true, completes: .words(["install", "remove", "status", "logs"]))
            ],
            options: [
                Option("no-socket", help: "install: start the daemon at login, not with the first connection"),
                Option("hardened", help: "install: take from it, and from agents, what only programs like sudo need"),
                Option("linger", help: "install: have your services go on after your last logout (loginctl)"),
                Option("stop", help: "install, remove: stop the daemon also while turns run"),
                Option("force", help: "install, remove: also where somebody has changed the files"),
                Option("print", help: "install: show the files, and write nothing"),
                Option(
                    "for", value: "MANAGER", help: "With --print: the files for systemd or launchd",
                    completes: .words(["systemd", "launchd"])),
                Option("lines", "n", value: "N", help: "logs: the last so many; default 50"),
                Option("follow", "f", help: "logs: go on with what comes, until ended"),
            ],
            help: "Have the system start the daemon and look after it; show how that goes",
            details: """
                ACTION is status (the default; it ends with 1 when no service is installed or something is wrong with it), \
                install, remove or logs. On Linux it is a systemd service of yours alone, no administrator is needed: it \
                starts with the first connection, says when it serves, is watched, and comes back after a crash. install \
                again takes up another configuration.
                """,
            run: ServiceCommand.run),
        Command(
            name: "diagnostics",
            options: [
                Option(
                    "output", "o", value: "FILE",
                    help: "The file to write; default: one with the time in its name, here")
            ],
            help:
                "Write a file for those who help: versions, settings, logs, crashes; no secrets, nothing that was said",
            run: DiagnosticsCommand.run),
        Command(
            name: "backup",
            options: [
                Option("output", "o", value: "FILE", help: "The file to write; default: one in the daemon's backups"),
                Option("list", "l", help: "List what is in the backups, deleted sessions too"),
            ],
            help: "Write all sessions, settings and costs into a file; the daemon may run meanwhile",
            details: """
                The token is not in it, nor are logs of the daemon and installed programs. The configuration is, with what \
                it puts into providers' environments: keep the file as you keep those. In the daemon's backups the newest \
                are kept, as many as backups.keep says.
                """,
            run: BackupCommands.backup),
        Command(
            name: "restore", arguments: [Argument(name: "FILE", isOptional: true, completes: .files)],
            options: [
                Option(
                    "session", value: "ID",
                    help: "Bring a deleted session back instead; a beginning of its ID is enough"),
                Option("stop", help: "Stop the daemon when one runs"),
            ],
            help: "Put a backup in the place of what is there, or bring back a deleted session",
            details: """
                Nothing is touched before every file of the backup was checked. What was there is moved to the daemon's \
                backups. Cut short, it leaves the old state, or is finished at the next start. A backup decides which \
                programs the daemon starts: restore none that you don't trust.
                """,
            run: BackupCommands.restore),
        Command(
            name: "install",
            options: [
                Option("version", value: "V", help: "This version; default: the newest"),
                Option(
                    "from", value: "SOURCE",
                    help: "The address of a manifest or a folder with one, or a folder, manifest or package here",
                    completes: .files),
                Option(
                    "source", value: "ADDRESS", help: "Where the manifest in SOURCE was brought from, for the record"),
            ] + trust + [
                Option("allow-downgrade", help: "Take an older version than the installed one, too"),
                Option("bin-dir", value: "DIR", help: "Where the link codeai-hub is made; default: ~/.local/bin"),
                Option("no-link", help: "Make no link"),
            ] + going,
            help: "Install the newest version, or another one, for this user",
            details: """
                Nothing is unpacked before its signature, size and sums were found right, and nothing is in use before it \
                ran. A daemon that runs goes on as the new version and is watched; when it isn't well, the old one is back \
                by itself. Control-C leaves the version that was there. Sources are those of updates.manifests, else the \
                project's own.
                """,
            handlesSignals: true, run: ReleaseCommands.install),
        Command(
            name: "update",
            options: [
                Option("check", help: "Only say what there is, and what is new in it"),
                Option("yes", "y", help: "Don't ask"),
                Option("from", value: "SOURCE", help: "As with install", completes: .files),
                Option("automatic", help: "With --check, by the daemon: waits for no slow server"),
            ] + trust + going,
            help: "Update the installed version to the newest",
            details: """
                Says what changes, what is to be downloaded and what is new, and asks; without a terminal it needs --yes. \
                Running turns have their grace to end and are interrupted then, clients come back by themselves. What fails \
                leaves the old version, as with install.
                """,
            handlesSignals: true, run: ReleaseCommands.update),
        Command(
            name: "rollback", arguments: [Argument(name: "VERSION", isOptional: true)], options: going,
            help: "Go back to the version that was in use before, or to another one that is installed",
            details: "As many as updates.keep says are kept. The daemon restarts and is watched as after an update.",
            handlesSignals: true, run: ReleaseCommands.rollBack),
        Command(
            name: "uninstall",
            options: [
                Option("keep-data", help: "Leave sessions, settings, logs and backups"),
                Option("yes", "y", help: "Don't ask"),
                Option("bin-dir", value: "DIR", help: "Where the link codeai-hub is; default: ~/.local/bin"),
            ],
            help: "Stop the daemon and remove it, with its data unless told otherwise",
            details: "Without a terminal it needs --yes. Files in the folder that aren't the daemon's stay.",
            run: UninstallCommand.run),
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

    /// Those for people.
    static let visible = all.filter { !$0.isHidden }
}
