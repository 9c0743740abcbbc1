import Glibc
import Terminal

// The terminal client: everything it does is in the Terminal module.
exit(TerminalProgram.run(Array(CommandLine.arguments.dropFirst())))
