import Client
import Glibc
import JSON

/// `codeai-hub doctor`: looks at everything the daemon needs, and says of each what is wrong and how it is mended. It
/// changes nothing, unless it is told to with `--fix`, and then only what can do no harm.
enum DoctorCommand {
    @Sendable static func run(_ invocation: Invocation) async throws(CommandFailure) -> ExitCode {
        let output = Output(invocation)
        var doctor = Doctor(home: try Connection.home(invocation), fixes: invocation.has("fix"))
        await doctor.examine()
        let problems = doctor.findings.count { $0.level == .problem }
        let warnings = doctor.findings.count { $0.level == .warning }
        if output.isJSON {
            output.print(json: [
                "ok": JSON(problems == 0), "problems": JSON(problems), "warnings": JSON(warnings),
                "findings": .array(doctor.findings.map(\.json)),
            ])
        } else {
            for finding in doctor.findings { output.print(finding.text) }
            func count(_ number: Int, _ what: String) -> String { "\(number) \(what)\(number == 1 ? "" : "s")" }
            let counts =
                problems + warnings == 0
                ? "All is well." : "\(count(problems, "problem")), \(count(warnings, "warning"))."
            output.print(StyledText("\n\(counts)\n", .bold))
        }
        return problems == 0 ? .ok : .refused
    }
}

/// What was found about one thing.
struct Finding: Equatable, Sendable {
    enum Level: String, Sendable { case ok, warning, problem }

    /// What was looked at: `home`, `config`, `token`, `port`, `daemon`, `providers`, ...
    var check: String
    var level: Level
    var message: String
    /// What the person does about it: a command where there is one.
    var mend: String?
    /// It has been mended just now.
    var isMended = false

    var json: JSON {
        var object: JSONObject = ["check": JSON(check), "level": JSON(level.rawValue), "message": JSON(message)]
        object["mend"] = mend.map { JSON($0) }
        if isMended { object["mended"] = true }
        return .object(object)
    }

    var text: StyledText {
        var text = StyledText()
        switch level {
        case .ok: text.append("ok       ", .green)
        case .warning: text.append("warning  ", .yellow)
        case .problem: text.append("problem  ", .red)
        }
        text.append(DisplayWidth.pad(check, to: 13), .bold)
        text.append(message + "\n")
        if let mend, !isMended {
            text.append(DisplayWidth.pad("", to: 22) + "-> ", .dim)
            text.append(mend + "\n")
        }
        return text
    }
}

/// The examination: what has been found so far, and what later looks need of earlier ones.
struct Doctor {
    let home: HubHome
    let fixes: Bool
    private(set) var findings: [Finding] = []
    /// The daemon's own account of itself; nil when none answers.
    var status: JSON?
    var providerAnswer: JSON?

    init(home: HubHome, fixes: Bool) {
        self.home = home
        self.fixes = fixes
    }

    mutating func examine() async {
        guard examineHome() else { return await examineSurroundings() }
        examineToken()
        await examineDaemon()
        examineConfiguration()
        examinePort()
        examineProviders()
        examineSessions()
        examineLeftovers()
        await examineSurroundings()
    }

    private mutating func examineSurroundings() async {
        examineDisk()
        examineInstallation()
        examineProgram()
        await examineService()
        examineTerminal()
    }

    mutating func add(_ check: String, _ level: Finding.Level, _ message: String, mend: String? = nil) {
        findings.append(Finding(check: check, level: level, message: message, mend: mend))
    }

    /// A finding that `--fix` mends.
    /// - Parameter fix: whether it succeeded.
    mutating func add(
        _ check: String, _ level: Finding.Level, _ message: String, mend: String, fix: () -> Bool
    ) {
        guard fixes, fix() else { return add(check, level, message, mend: mend) }
        findings.append(
            Finding(check: check, level: .ok, message: "\(message): mended", mend: mend, isMended: true))
    }

    func hasProblem(_ check: String) -> Bool { findings.contains { $0.check == check && $0.level != .ok } }
}
