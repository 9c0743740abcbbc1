/// Agents, money, settings, and what keeps the daemon well.
extension CommandTable {
    static let administration: [Command] = [
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
    ]
}
