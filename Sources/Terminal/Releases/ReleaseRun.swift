import Base
import Client
import Configuration
import Downloads
import EventLoop
import Glibc
import Installations
import JSON
import Processes
import Releases

/// One command that works on releases: what it was told, and what it tells. It has a thread of its own, since what it does
/// blocks.
final class ReleaseRun {
    let invocation: Invocation
    let home: HubHome
    let installation: InstallationHome
    let output: Output
    let settings: Configuration.Updates
    private(set) var flow: ReleaseFlow
    private let reporter: ReleaseReporter
    let control: TerminalDaemonControl

    private init(
        _ invocation: Invocation, isCancelled: @escaping @Sendable () -> Bool
    ) throws(CommandFailure) {
        self.invocation = invocation
        home = try Connection.home(invocation)
        installation = InstallationHome(path: home.path)
        output = Output(invocation)
        settings = try ReleaseRun.settings(home)
        reporter = ReleaseReporter(output, isQuiet: invocation.has("check"))
        do throws(HubError) { control = try TerminalDaemonControl(home, installation) } catch {
            throw CommandFailure(error)
        }
        var limits = DownloadLimits()
        // In the background nobody waits for long.
        if invocation.has("automatic") { limits.smallTimeout = .seconds(20) }
        // It says no version: what is installed is nobody's business.
        flow = ReleaseFlow(home: installation, downloader: Downloader(limits: limits, userAgent: "codeai-hub"))
        flow.isCancelled = isCancelled
        flow.keep = settings.keep
        flow.watch = try ReleaseRun.watch(invocation)
        let reporter = reporter
        flow.report = { reporter.report($0) }
    }

    /// Runs a command's body, with Control-C as a flag.
    static func run(
        _ invocation: Invocation, _ body: @escaping @Sendable (ReleaseRun) throws(CommandFailure) -> ExitCode
    ) async throws(CommandFailure) -> ExitCode {
        let isCancelled = Lock(false)
        let signals = try? SignalWatch { signal in
            // Who insists leaves at once; the next command, or the next start, puts in order what that cut short.
            if isCancelled.withLock({ was in
                defer { was = true }
                return was
            }) {
                _exit(128 + signal)
            }
        }
        defer { signals?.close() }
        let result: Result<ExitCode, CommandFailure> = await onThread {
            do throws(CommandFailure) {
                let run = try ReleaseRun(invocation, isCancelled: { isCancelled.withLock { $0 } })
                defer { run.reporter.end() }
                return .success(try body(run))
            } catch {
                return .failure(error)
            }
        }
        return try result.get()
    }

    // MARK: What it was told

    /// `updates` as the configuration's file has it. A file with mistakes is an error here: it may name the only place
    /// that this person wants to be asked.
    private static func settings(_ home: HubHome) throws(CommandFailure) -> Configuration.Updates {
        do throws(ConfigurationError) {
            let path = home.path + "/core/config.json"
            guard let text = try ConfigurationFile(path).read() else { return Configuration().updates }
            return try Configuration.parse(text, source: path).updates
        } catch {
            throw CommandFailure(error)
        }
    }

    func request() throws(ReleaseError) -> ReleaseFlow.Request {
        let source =
            if let from = invocation.options["from"] {
                try ReleaseSource(from)
            } else {
                try ReleaseSource(mirrors: settings.manifests)
            }
        var request = ReleaseFlow.Request(source: source, keys: try keys())
        request.allowsUnsigned = invocation.has("allow-unsigned")
        request.allowsDowngrade = invocation.has("allow-downgrade")
        return request
    }

    /// Whose signatures count.
    func keys() throws(ReleaseError) -> TrustedKeys {
        try TrustedKeys(files: settings.keys + (invocation.options["key"].map { [$0] } ?? []))
    }

    func version(_ option: String) throws(ReleaseError) -> Version? {
        guard let text = invocation.options[option] else { return nil }
        return try ReleaseRun.version(text)
    }

    static func version(_ text: String) throws(ReleaseError) -> Version {
        guard let version = Version(text) else {
            throw ReleaseError(.versionMissing, "\(text) is no version: 1.2.3, 1.2.3-rc.1")
        }
        return version
    }

    private static func watch(_ invocation: Invocation) throws(CommandFailure) -> Duration {
        guard let text = invocation.options["watch"] else { return .seconds(10) }
        guard let seconds = Int(text), (0...600).contains(seconds) else {
            throw .usage("--watch takes seconds, at most ten minutes")
        }
        return .seconds(seconds)
    }

    /// The daemon, where it is to be restarted.
    var daemon: (any DaemonControl)? { invocation.has("no-restart") || isInSession ? nil : control }

    /// Whether an agent of this very daemon runs this. The restart would wait for the turn's end and the turn for this
    /// command, until both were ended; and a command that is ended takes the update back.
    private var isInSession: Bool {
        guard let owner = environmentVariable(Leftovers.ownerVariable) else { return false }
        var (theirs, ours) = (stat(), stat())
        return stat(owner, &theirs) == 0 && stat(home.path, &ours) == 0 && theirs.st_dev == ours.st_dev
            && theirs.st_ino == ours.st_ino
    }

    // MARK: Doing

    /// Has what was cut short, or was damaged, put in order before anything is planned on it. What can't be is said by what
    /// comes then.
    func settle() { if installation.isUnsettled { _ = try? Installer(installation).settle() } }

    /// - Parameter modules: of providers, which come after the core that is to use them.
    func carryOut(_ plan: ReleasePlan, modules: ReleasePlan? = nil) throws(CommandFailure) -> ExitCode {
        var outcome = ReleaseFlow.Outcome(from: nil, to: nil, isRestarted: false)
        if let change = plan.changes.first(where: { $0.component == .core }) {
            outcome = try releasing { () throws(ReleaseError) in
                try flow.apply(change, of: plan, daemon: daemon)
            }
        } else {
            // A version may be in force whose installer was killed before it had done everything.
            _ = try? Installer(installation).settle()
        }
        let results = try modules.map { plan throws(CommandFailure) in try carryOut(modulesOf: plan) } ?? []
        var members: JSONObject = ["upToDate": JSON(plan.isUpToDate && results.isEmpty)]
        if !results.isEmpty { members["modules"] = .array(results.map(\.json)) }
        let code = done(outcome, members)
        tell(results)
        return results.contains { $0.failure != nil } ? .refused : code
    }

    /// Where the person's command is looked for: in the folder that was named, else the usual one.
    static func links(_ invocation: Invocation, _ home: InstallationHome) -> [CommandLink] {
        guard !invocation.has("no-link") else { return [] }
        guard let folder = invocation.options["bin-dir"] else { return [CommandLink(home)] }
        guard !folder.isAbsolutePath else { return [CommandLink(home, in: folder)] }
        guard let current = getcwd(nil, 0) else { return [] }
        defer { free(current) }
        return [CommandLink(home, in: String(cString: current) + "/" + folder)]
    }

    /// Makes the person's command. What is in its place stays; an installation without it works, too.
    /// - Returns: its path; nil when there is none that leads here.
    private func linkCommand() -> String? {
        for link in ReleaseRun.links(invocation, installation) {
            do throws(InstallationError) {
                if try link.make() != .taken { return link.path }
                note("\(link.path) is something else and was left alone; the program is \(link.target)")
            } catch {
                note("\(error.message); the program is \(link.target)")
            }
        }
        return nil
    }

    private func note(_ text: String) {
        if !output.isJSON { output.note(text) }
    }

    /// The last words.
    func done(_ outcome: ReleaseFlow.Outcome, _ members: JSONObject) -> ExitCode {
        reporter.end()
        let link = linkCommand()
        if output.isJSON {
            var object: JSONObject = ["event": "done"]
            for (key, value) in members { object[key] = value }
            object["component"] = "core"
            object["from"] = outcome.from.map { JSON("\($0)") } ?? .null
            object["to"] = (outcome.to ?? installation.installed()).map { JSON("\($0)") } ?? .null
            object["restarted"] = JSON(outcome.isRestarted)
            object["command"] = link.map { JSON($0) } ?? .null
            output.print(json: .object(object))
            return .ok
        }
        if let to = outcome.to {
            let before = outcome.from.map { ", \($0) before" } ?? ""
            output.print(StyledText("codeai-hub \(to) is installed\(before).\n"))
            if outcome.isRestarted {
                output.print("The daemon runs as this version.\n")
            } else if let running = control.health()?.version, running != "\(to)" {
                output.note(
                    isInSession
                        ? "The daemon goes on as \(running), since a session of its own runs this: codeai-hub restart, once that is done"
                        : "The daemon still runs as \(running): codeai-hub restart")
            }
            if let link, outcome.from == nil { output.print(StyledText("Begin with: \(link) new\n")) }
        } else if let installed = installation.installed() {
            output.print(StyledText("\(installed) is installed and up to date.\n"))
            if let running = control.health()?.version, running != "\(installed)" {
                output.note("The daemon still runs as \(running): codeai-hub restart")
            }
        }
        return .ok
    }

    func report(_ event: ReleaseEvent) { reporter.report(event) }

    // MARK: Asking

    /// What restarting would mean now.
    var turnsSentence: String {
        guard daemon != nil, let turns = control.health()?.turns else { return "" }
        return turns == 0
            ? " The daemon restarts." : " The daemon restarts; \(turns == 1 ? "a turn runs" : "\(turns) turns run")."
    }

    func asks(_ question: String) throws(CommandFailure) -> Bool {
        reporter.end()
        TerminalDevice.write(question + " [Y/n] ", to: STDERR_FILENO)
        // Control-C is only a flag here, which reading wouldn't see.
        while !TerminalDevice.hasInput(within: .milliseconds(50)) {
            guard flow.isCancelled() else { continue }
            TerminalDevice.write("\n", to: STDERR_FILENO)
            throw CommandFailure(.interrupted, "cancelled", "cancelled; nothing was changed")
        }
        guard let answer = TerminalDevice.readAnswer() else { return false }
        return ["", "y", "yes"].contains(answer)
    }
}

/// Runs what blocks on a thread of its own: on those of concurrency there may be only one.
func onThread<Value: Sendable>(_ body: @escaping @Sendable () -> Value) async -> Value {
    await withCheckedContinuation { continuation in
        guard let loop = try? EventLoop.startThread(name: "release") else {
            return continuation.resume(returning: body())
        }
        loop.submit {
            continuation.resume(returning: body())
            loop.stop()
        }
    }
}
