// Both programs in one, as it is installed: the Swift runtime and OpenSSL are in it once. The name it is started by
// decides which one it is.
import CLinux
import Daemon
import Glibc
import Terminal

// What the machine has for looking names up is made for its own C library. This program has one of its own in it: what it
// would be told is in /etc/hosts, /etc/passwd and from DNS.
clinux_look_names_up_without_modules()

let name = CommandLine.arguments.first ?? ""
let arguments = Array(CommandLine.arguments.dropFirst())
if name == "codeai-hub-core" || name.hasSuffix("/codeai-hub-core") {
    exit(Program.run(arguments))
} else {
    exit(TerminalProgram.run(arguments))
}
