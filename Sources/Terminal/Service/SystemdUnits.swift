import Client

/// The definition as units of systemd, for the user's own manager.
enum SystemdUnits {
    private static func head(_ unit: String) -> String {
        """
        # Written by "codeai-hub service install". Changes of yours belong in a drop-in, which that leaves alone:
        #   systemctl --user edit \(unit)

        """
    }
    private static let page = "https://github.com/OleynikAleksandr/CodeAI-Hub"

    /// By file name.
    static func files(_ definition: ServiceDefinition) -> [(name: String, text: String)] {
        var files = [(UserManager.service, service(definition))]
        if let socket = definition.socket { files.append((UserManager.socket, self.socket(socket))) }
        return files
    }

    static func socket(_ socket: ServiceRecord.Socket) -> String {
        let host = socket.host.contains(":") ? "[\(socket.host)]" : socket.host
        return head(UserManager.socket) + """

            [Unit]
            Description=CodeAI Hub Core: where its clients come
            Documentation=\(page)

            [Socket]
            # The configuration's server.host and server.port.
            ListenStream=\(host):\(socket.port)
            Backlog=4096

            [Install]
            WantedBy=sockets.target

            """
    }

    static func service(_ definition: ServiceDefinition) -> String {
        let hasSocket = definition.socket != nil
        var lines = [
            "", "[Unit]", "Description=CodeAI Hub Core, the daemon that owns AI coding sessions",
            "Documentation=\(page)",
        ]
        if hasSocket {
            lines += ["Requires=\(UserManager.socket)", "After=\(UserManager.socket)"]
        }
        lines += [
            "# A new version that dies at its start takes itself back at its fourth; this ends what never gets better.",
            "StartLimitIntervalSec=120", "StartLimitBurst=10", "",
            "[Service]", "Type=notify", "NotifyAccess=main",
            "ExecStart=" + word(definition.program),
            "Environment=" + word("CODEAI_HUB_HOME=" + definition.home),
            "# Of the shell that installed this: agents and their tools are found in it.",
            "Environment=" + word("PATH=" + definition.searchPath),
            "TimeoutStartSec=120",
            "# The grace that turns get, and 15 s.",
            "TimeoutStopSec=\(stopSeconds(definition))",
            "# A daemon whose loop hangs is killed, and started again.",
            "WatchdogSec=60",
            "Restart=on-failure", "RestartSec=1",
            "# Wrong usage, another daemon on the home, an unusable configuration: trying again mends none of them.",
            "RestartPreventExitStatus=2 3 5",
            "# The daemon ends its agents itself, in order; what is left then is killed.",
            "KillMode=mixed",
            "# An agent that takes too much memory is no reason to end the others.",
            "OOMPolicy=continue",
            "# A dump of the daemon would hold what was said. Agents may allow themselves theirs.",
            "LimitCORE=0:infinity",
        ]
        if definition.isHardened { lines += hardening }
        lines += ["", "[Install]", hasSocket ? "Also=\(UserManager.socket)" : "WantedBy=default.target", ""]
        return head(UserManager.service) + lines.joined(separator: "\n")
    }

    /// Takes only what needs other rights than the person's. Namespaces, mounts, debugging and writable code stay: agents'
    /// own sandboxes, debuggers and JIT compilers need them.
    private static let hardening = [
        "# --hardened: no set-user-ID programs, so no sudo and no rootless containers in agents.",
        "NoNewPrivileges=yes", "RestrictSUIDSGID=yes", "RestrictRealtime=yes", "SystemCallArchitectures=native",
        "RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK",
        "SystemCallFilter=~@clock @cpu-emulation @module @obsolete @raw-io @reboot @swap",
        "SystemCallErrorNumber=EPERM",
    ]

    static func stopSeconds(_ definition: ServiceDefinition) -> Int {
        Int(definition.grace.components.seconds) + (definition.grace.components.attoseconds > 0 ? 1 : 0) + 15
    }

    /// As systemd.syntax(7) quotes it. `%` stands for itself only twice; `$` is itself in a program's path, and in variables.
    static func word(_ text: String) -> String {
        var result = String.UnicodeScalarView()
        var needsQuotes = text.isEmpty
        // One by one: to a string a quote with an accent on it is no quote, to systemd it is.
        for character in text.unicodeScalars {
            switch character {
            case "%": result += "%%".unicodeScalars
            case "\\", "\"":
                result += ["\\", character]
                needsQuotes = true
            case " ", "'", ";",
                _ where !character.isASCII:
                result.append(character)
                needsQuotes = true
            default: result.append(character)
            }
        }
        return needsQuotes ? "\"\(String(result))\"" : String(result)
    }
}
