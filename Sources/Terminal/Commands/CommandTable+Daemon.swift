/// Starting the daemon, and looking at it.
extension CommandTable {
    static let daemon: [Command] = [
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
    ]
}
