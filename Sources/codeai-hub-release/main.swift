// Both programs in one, as it is installed: the Swift runtime and OpenSSL are in it once. The name it is started by
// decides which one it is.
import CLinux
import Daemon
import Glibc
import Terminal

// The name service modules of the system are made for the system's C library. This program has one of its own in it, and must
// never load them: what they give it is in /etc/hosts, /etc/passwd and from DNS.
for (database, sources) in [("hosts", "files dns"), ("passwd", "files"), ("group", "files"), ("services", "files")] {
    _ = __nss_configure_lookup(database, sources)
}

let name = CommandLine.arguments.first ?? ""
let arguments = Array(CommandLine.arguments.dropFirst())
if name == "codeai-hub-core" || name.hasSuffix("/codeai-hub-core") {
    exit(Program.run(arguments))
} else {
    exit(TerminalProgram.run(arguments))
}
