import Base
import Client
import Configuration

/// A page for `man`, made of the tables that drive the programs themselves.
struct ManualPage {
    let name: String
    let section: Int
    let text: String

    static var all: [ManualPage] { [program, daemon, configuration] }
    /// Known without the pages, which are made of the table that names them.
    static let names = ["codeai-hub", "codeai-hub-core", "codeai-hub-config"]

    private static func page(_ name: String, _ section: Int, _ summary: String, _ body: (inout Roff) -> Void)
        -> ManualPage
    {
        var roff = Roff(name: name, section: section, summary: summary)
        body(&roff)
        return ManualPage(name: name, section: section, text: roff.text)
    }

    // MARK: codeai-hub(1)

    private static var program: ManualPage {
        page("codeai-hub", 1, "AI coding sessions that live in one daemon") { roff in
            roff.section("Synopsis")
            roff.synopsis("codeai-hub", "COMMAND [ARGUMENTS] [OPTIONS]")
            roff.section("Description")
            roff.paragraph(
                """
                codeai-hub talks to the daemon codeai-hub-core(1), and starts it when none runs. Sessions live in the \
                daemon: a terminal that is closed, or killed, takes nothing with it.
                """)
            roff.paragraph(
                "An ID may be shortened as long as it is unique. Without a command the help is printed.")
            roff.section("Commands")
            for command in CommandTable.visible {
                roff.entry(command.synopsis, "\(command.help).\(command.details.isEmpty ? "" : " " + command.details)")
                guard !command.options.isEmpty else { continue }
                roff.indented { roff in
                    for option in command.options { roff.entry(option.usage, option.help + ".") }
                }
            }
            roff.section("Options")
            roff.paragraph("Every command takes:")
            for option in Command.commonOptions { roff.entry(option.usage, option.help + ".") }
            roff.section("Keys")
            roff.paragraph("new and attach on a terminal show a session live; the line at the bottom is for writing.")
            for (key, meaning) in KeyTable.all { roff.entry(key, meaning + ".") }
            roff.section("Exit status")
            for code in ExitCode.allCases { roff.entry("\(code.rawValue)", code.meaning + ".") }
            roff.section("Environment")
            for (variable, meaning) in variables { roff.entry(variable, meaning) }
            roff.section("Files")
            roff.entry("~/.codeai-hub/core/config.json", "The configuration; see codeai-hub-config(5).")
            roff.entry("~/.codeai-hub/sessions/", "The log of each session.")
            roff.entry(
                "~/.codeai-hub/terminal/history.jsonl",
                "What was written in the interactive client, for nobody else to read.")
            roff.section("Examples")
            for (line, meaning) in examples { roff.example(line, meaning) }
            roff.section("See also")
            roff.paragraph("codeai-hub-core(1), codeai-hub-config(5)")
        }
    }

    private static let variables = [
        ("CODEAI_HUB_HOME", "The daemon's folder; default: ~/.codeai-hub."),
        (
            "CODEAI_HUB_HISTORY",
            "How many lines of the interactive client are kept over runs; default: 1000, 0 for none."
        ),
        ("NO_COLOR", "When it is set, no colours; what is bold or dim stays."),
        ("TERM, COLORTERM", "How many colours there are. With dumb there is plain text and no live view."),
        ("VISUAL, EDITOR", "The editor of config edit."),
    ]

    private static let examples = [
        ("codeai-hub new", "A conversation, with the best provider there is."),
        ("codeai-hub attach", "The last session, in another terminal."),
        ("git diff | codeai-hub send 3f2a -", "Sends what is piped in; an ID may be shortened."),
        ("codeai-hub send 3f2a --wait --json \"and now?\" | jq .", "Frames as JSON lines."),
    ]

    // MARK: codeai-hub-core(1)

    private static var daemon: ManualPage {
        page("codeai-hub-core", 1, "the daemon that owns every AI coding session on a machine") { roff in
            roff.section("Synopsis")
            roff.synopsis("codeai-hub-core", "[--config PATH] [--host HOST] [--port PORT]")
            roff.synopsis("codeai-hub-core", "--check-config | --version | --help")
            roff.synopsis("codeai-hub-core", "echo-agent")
            roff.synopsis("codeai-hub-core", "provider-login ID [--config PATH]")
            roff.synopsis("codeai-hub-core", "provider-check [--config PATH]")
            roff.synopsis("codeai-hub-core", "provider-check --module FILE | --modules")
            roff.section("Description")
            roff.paragraph(
                """
                codeai-hub-core runs the agents (Claude Code, Codex, Gemini CLI and any that speaks the Agent Client \
                Protocol) as subprocesses, keeps each session as one append-only log, and lets every client see and \
                steer the same sessions live. Without arguments it runs in the foreground and logs JSON lines to \
                standard error. codeai-hub(1) starts it when it is needed.
                """)
            roff.paragraph(
                """
                SIGTERM, and SIGINT, end it: turns get a while to end, what waits is kept. SIGHUP has it read its \
                configuration again.
                """)
            roff.section("Commands")
            roff.entry("echo-agent", "The built-in agent, speaking the Agent Client Protocol on its standard streams.")
            roff.entry("provider-login ID", "The login of a provider's vendor, in this terminal.")
            roff.entry("provider-check", "What is installed and logged in, as JSON.")
            roff.entry("provider-check --module FILE", "Whether this core can use a provider's module.")
            roff.entry("provider-check --modules", "The modules that this core has.")
            roff.section("Options")
            for (option, meaning) in daemonOptions { roff.entry(option, meaning) }
            roff.paragraph(
                "A flag comes before the environment, that before the configuration file, that before the default.")
            roff.section("Exit status")
            for (code, meaning) in daemonCodes { roff.entry(code, meaning) }
            roff.section("Environment")
            for (variable, meaning) in daemonVariables { roff.entry(variable, meaning) }
            roff.section("See also")
            roff.paragraph("codeai-hub(1), codeai-hub-config(5)")
        }
    }

    private static let daemonOptions = [
        ("--config PATH", "The configuration file; default: core/config.json in the home."),
        ("--host HOST", "The address to listen on; default: 127.0.0.1."),
        ("--port PORT", "The port, 0 for any free one; default: 8080."),
        ("--check-config", "Read the configuration, say what is wrong with it, and end."),
        ("--version", "Print the version."), ("-h, --help", "Print the help."),
    ]

    private static let daemonCodes = [
        ("0", "Ended well."), ("1", "Failed."), ("2", "Wrong usage."), ("3", "Another daemon uses the home."),
        ("4", "The address is taken."), ("5", "The configuration or the home is not usable."),
    ]

    private static let daemonVariables = [
        ("CODEAI_HUB_HOME", "The daemon's folder; default: ~/.codeai-hub."),
        ("CORE_HOST, CORE_PORT", "As --host and --port."),
        ("CORE_SHUTDOWN_GRACE_MS", "Milliseconds that an idle daemon waits for a client before it ends."),
        ("CORE_LOG_LEVEL", "debug, info, warn or error."),
        ("CODEAI_HUB_SERVICE", "1: a service manager looks after it, so that it never ends for want of clients."),
    ]

    // MARK: codeai-hub-config(5)

    private static var configuration: ManualPage {
        page("codeai-hub-config", 5, "settings of CodeAI Hub") { roff in
            roff.section("Description")
            roff.paragraph(
                """
                ~/.codeai-hub/core/config.json is a JSON object with a member for each section below, written with the \
                defaults at the first start. Every key is checked: an unknown one or a wrong type is reported with path \
                and line, at the start and by codeai-hub config check. Members whose name begins with // are comments.
                """)
            roff.paragraph(
                """
                A file that has changed is read again within 2 s; one with a mistake changes nothing. codeai-hub config \
                set changes one key, codeai-hub config edit opens the file and checks it before it is taken.
                """)
            roff.section("Settings")
            var last = ""
            for key in SettingTable.keys(providers: ["<id>"]) {
                let section = key.path[0]
                if section != last { roff.subsection(section) }
                last = section
                var words = key.summary.replacing(text: "`", with: "")
                if let value = key.defaultValue { words += " Default: \(value)." }
                if let variable = key.variable { words += " Environment: \(variable)." }
                switch key.effect {
                case .now: break
                case .newConnections: words += " Takes effect with new connections."
                case .restart: words += " Takes effect at the next start."
                }
                if key.isPrivileged { words += " Only the file can set it." }
                roff.entry(key.key, words)
            }
            roff.section("See also")
            roff.paragraph("codeai-hub(1), codeai-hub-core(1)")
        }
    }
}

/// Text for `man`, in the macros of man(7).
struct Roff {
    private(set) var text: String

    /// Of the pages' form; what is in them is as new as the program.
    private static let date = "2026-11-21"

    init(name: String, section: Int, summary: String) {
        text = ".TH \(Roff.escaped(name.uppercased())) \(section) \(Roff.date) \"codeai-hub \(clientVersion)\"\n"
        self.section("Name")
        text += "\(Roff.escaped(name)) \\- \(Roff.escaped(summary))\n"
    }

    mutating func section(_ name: String) { text += ".SH \(name.uppercased())\n" }
    mutating func subsection(_ name: String) { text += ".SS \(Roff.escaped(name))\n" }
    mutating func paragraph(_ words: String) { text += "\(between)\(Roff.escaped(words))\n" }

    /// What parts paragraphs: nothing below a heading.
    private var between: String {
        let last = text.split(separator: "\n").last ?? ""
        return last.hasPrefix(".SH") || last.hasPrefix(".SS") ? "" : ".PP\n"
    }

    mutating func synopsis(_ name: String, _ words: String) {
        text += "\(between).B \(Roff.escaped(name))\n\(Roff.escaped(words))\n"
    }

    /// A word, and what it means below it.
    mutating func entry(_ word: String, _ meaning: String) {
        text += ".TP\n.B \(Roff.quoted(word))\n\(Roff.escaped(meaning))\n"
    }

    mutating func example(_ line: String, _ meaning: String) {
        text += "\(between)\(Roff.escaped(meaning))\n.PP\n.RS 4\n.nf\n\(Roff.escaped(line))\n.fi\n.RE\n"
    }

    mutating func indented(_ body: (inout Roff) -> Void) {
        text += ".RS\n"
        body(&self)
        text += ".RE\n"
    }

    /// An argument of a macro.
    private static func quoted(_ text: String) -> String {
        "\"" + escaped(text).replacing(text: "\"", with: "\\(dq") + "\""
    }

    /// Nothing in it is taken for a macro, and a dash stays the one that is typed.
    static func escaped(_ text: String) -> String {
        var result = ""
        for line in text.split(separator: "\n", omittingEmptySubsequences: false) {
            if !result.isEmpty { result += "\n" }
            if line.first == "." || line.first == "'" { result += "\\&" }
            for character in line {
                switch character {
                case "\\": result += "\\e"
                case "-": result += "\\-"
                case "'": result += "\\(aq"
                case "`": result += "\\(ga"
                case "^": result += "\\(ha"
                case "~": result += "\\(ti"
                default: result.append(character)
                }
            }
        }
        return result
    }
}
