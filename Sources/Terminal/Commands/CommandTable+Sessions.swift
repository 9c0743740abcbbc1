/// What a session is made to be: its copies, its queue, its name, where it is kept.
extension CommandTable {
    static let sessions: [Command] = [
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
    ]
}
