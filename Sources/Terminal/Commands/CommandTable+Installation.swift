/// Versions of the program itself.
extension CommandTable {
    /// Of all that takes a release, or a module, from somewhere.
    static let trust = [
        Option("key", value: "FILE", help: "Trust this public key, too; updates.keys is for always"),
        Option("allow-unsigned", help: "Take a manifest without signature from this machine: for builds of your own"),
    ]
    private static let going = [
        Option("no-restart", help: "Leave a daemon that runs as it is until its next start"),
        Option("watch", value: "SECONDS", help: "How long the new daemon is watched; default 10"),
    ]

    static let installation: [Command] = [
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
    ]
}
