// The daemon: everything it does is in the Daemon module.
import Daemon
import Glibc

exit(Program.run(Array(CommandLine.arguments.dropFirst())))
