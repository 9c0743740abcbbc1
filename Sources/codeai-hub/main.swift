import Glibc
import Terminal

// The terminal client: everything it does is in the Terminal module.
exit(await TerminalProgram.run(Array(CommandLine.arguments.dropFirst())))
