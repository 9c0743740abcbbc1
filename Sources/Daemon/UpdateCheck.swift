import Base
import CLinux
import EventLoop
import Glibc
import HubProtocol
import JSON
import Processes

/// When the next look for a new version is due: at most once in a day, however often the daemon starts and whatever is
/// done to the clock.
struct UpdateSchedule: Equatable {
    /// When it was looked for last.
    var checkedAt: Timestamp
    /// In which life of the machine, and how many seconds into it: what no change of the clock can touch.
    var bootId: String
    var bootSeconds: Int64

    static let interval: Int64 = 24 * 3600

    static func now() -> UpdateSchedule {
        var time = timespec()
        clock_gettime(CLOCK_BOOTTIME, &time)
        return UpdateSchedule(checkedAt: .now, bootId: CrashReports.bootId, bootSeconds: Int64(time.tv_sec))
    }

    /// Seconds until the next one; 0: it is due.
    func wait(now: UpdateSchedule) -> Int64 {
        var passed = (now.checkedAt.milliseconds - checkedAt.milliseconds) / 1000
        // The file may say anything: no number in it ends the daemon.
        if bootId == now.bootId { passed = now.bootSeconds &- bootSeconds }
        // A last time that is still to come was noted by a wrong clock: a day from now, then.
        return passed < 0 ? UpdateSchedule.interval : max(0, UpdateSchedule.interval - passed)
    }
}

/// Looks for a new version of an installed release: once a day the program beside this one, `codeai-hub`, reads the
/// manifest. What it says is kept in `core/updates.json`, shown to whoever asks, and told to clients once. Confined to the
/// loop.
final class UpdateCheck {
    /// What it needs of the daemon around it.
    struct Surroundings {
        var file: String
        var installedVersions: String
        var home: String
        /// `codeai-hub` of the same release.
        var tool: String
        var environment: [String: String]
        /// Whether it may look, and seconds from the start to the first time.
        var settings: () -> (isOn: Bool, firstAfter: Int)
        var hasClients: () -> Bool
        var announce: (JSONObject) -> Void
        var log: ServiceLog
    }

    private let surroundings: Surroundings
    private let loop: EventLoop
    private var state: State
    private var child: ChildProcess?

    private struct State {
        var schedule: UpdateSchedule?
        /// As `update --check` said; nil after a failure.
        var plan: JSONObject?
        var error: JSONObject?
        /// What clients were told of.
        var announced: String?
    }

    private static let timeLimit = Duration.seconds(120)
    private static let outputLimit = 256 << 10
    private static let longestWait: Int64 = 1800
    /// What the program needs for reaching the manifest. Nothing of it is for agents.
    private static let variables: Set = [
        "HOME", "PATH", "USER", "LOGNAME", "LANG", "TZ", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "ALL_PROXY",
        "http_proxy", "https_proxy", "no_proxy", "all_proxy", "SSL_CERT_FILE", "SSL_CERT_DIR",
    ]

    init(_ surroundings: Surroundings, loop: EventLoop) {
        self.surroundings = surroundings
        self.loop = loop
        state = UpdateCheck.read(surroundings.file)
        // All daemons of the world start their day at nine: not all ask at once.
        let first = surroundings.settings().firstAfter
        schedule(after: Int64(first) + Int64.random(in: 0...Int64(max(0, first / 2))))
    }

    /// The program beside the daemon's own when that is an installed release in this home; else nil.
    static func tool(beside program: String, home: String) -> String? {
        guard let resolved = realpath(home, nil) else { return nil }
        defer { free(resolved) }
        guard let folder = program.parentPath, program.utf8.starts(with: (String(cString: resolved) + "/core/").utf8)
        else { return nil }
        let tool = folder + "/codeai-hub"
        return access(tool, X_OK) == 0 ? tool : nil
    }

    // MARK: Looking

    private func schedule(after seconds: Int64) {
        // In steps, so that a setting that changes and a machine that slept are noticed.
        loop.schedule(after: .seconds(min(seconds, UpdateCheck.longestWait))) { [weak self] in self?.consider() }
    }

    private func consider() {
        guard surroundings.settings().isOn else { return schedule(after: UpdateCheck.longestWait) }
        let now = UpdateSchedule.now()
        let wait = state.schedule?.wait(now: now) ?? 0
        guard wait == 0, child == nil else {
            if wait == UpdateSchedule.interval { note(now) }
            return schedule(after: max(1, wait))
        }
        // Also one that fails counts: nobody is asked more often for it.
        note(now)
        look()
        schedule(after: UpdateSchedule.interval)
    }

    private func note(_ now: UpdateSchedule) {
        state.schedule = now
        write()
    }

    private func look() {
        var environment = surroundings.environment.filter {
            UpdateCheck.variables.contains($0.key) || $0.key.hasPrefix("LC_")
        }
        environment["CODEAI_HUB_HOME"] = surroundings.home
        let child: ChildProcess
        do throws(SpawnError) {
            child = try ChildProcess.spawn(
                ProcessSpecification(
                    executable: surroundings.tool, arguments: ["update", "--check", "--json", "--automatic"],
                    environment: environment, workingDirectory: "/"), on: loop)
        } catch {
            return finish(problem: "\(error)")
        }
        self.child = child
        var output: [UInt8] = []
        var isLate = false
        child.closeInput()
        child.onOutput = { output.append(contentsOf: $0.prefix(max(0, UpdateCheck.outputLimit - output.count))) }
        let timer = loop.schedule(after: UpdateCheck.timeLimit) {
            isLate = true
            child.terminate(.immediate)
        }
        child.onExit = { [weak self] status in
            timer.cancel()
            guard let self else { return }
            self.child = nil
            guard !isLate else { return finish(problem: "it took longer than \(UpdateCheck.timeLimit)") }
            guard let line = output.split(separator: 0x0a).last,
                let answer = (try? JSON.parse(Array(line)))?.objectValue
            else { return finish(problem: "it ended with \(status) and said nothing that can be read") }
            take(answer)
        }
    }

    /// The daemon ends.
    func stop() { child?.terminate(.immediate) }

    // MARK: What was found

    private func finish(problem: String) {
        take(["error": ["code": "check_failed", "message": JSON(problem)]])
    }

    private func take(_ answer: JSONObject) {
        if answer["event"] == "plan" {
            state.plan = answer
            state.error = nil
        } else {
            // What was known of a new version stays so.
            state.error = answer["error"]?.objectValue ?? ["code": "check_failed", "message": "no plan was said"]
        }
        write()
        surroundings.log.log(
            state.error == nil ? .info : .warn, "looked for a new version",
            state.error.map { ["problem": $0["message"] ?? .null] } ?? ["components": .array(components)])
        announce()
    }

    /// What could be installed now: some of it may have been, since.
    private var components: [JSON] {
        let bytes = try? readFile(surroundings.installedVersions, limit: 64 << 10)
        let installed = bytes.flatMap { (try? JSON.parse($0))?.objectValue } ?? [:]
        return (state.plan?["components"]?.arrayValue ?? []).prefix(64).compactMap { entry in
            guard let component = entry["component"]?.stringValue, let version = entry["to"]?.stringValue,
                installed[component]?.stringValue != version
            else { return nil }
            var object: JSONObject = [
                "component": JSON(component), "from": entry["from"] ?? .null, "to": JSON(version),
            ]
            object["download"] = JSON(entry["download"]?.intValue ?? 0)
            object["notes"] = entry["notes"]?.stringValue.map { JSON(String($0.prefix(4096))) }
            return .object(object)
        }
    }

    /// As `GET /status` shows it; nil before the first look.
    var report: JSONObject? {
        guard let schedule = state.schedule, state.plan != nil || state.error != nil else { return nil }
        var object: JSONObject = ["checkedAt": JSON(schedule.checkedAt.description)]
        object["components"] = .array(components)
        object["error"] = state.error.map {
            [
                "code": JSON($0["code"]?.stringValue ?? "check_failed"),
                "message": JSON($0["message"]?.stringValue ?? ""),
            ]
        }
        return object
    }

    /// Tells clients of what they haven't heard of; when there are none, the next one hears it.
    func announce() {
        let components = components
        guard !components.isEmpty, surroundings.hasClients() else { return }
        let name = components.map { "\($0["component"]?.stringValue ?? "") \($0["to"]?.stringValue ?? "")" }
            .joined(separator: ", ")
        guard name != state.announced else { return }
        state.announced = name
        write()
        var message = "New versions can be installed (\(name)). Run: codeai-hub providers update"
        if let core = components.first(where: { $0["component"] == "core" })?["to"]?.stringValue {
            message = "CodeAI Hub Core \(core) can be installed. Run: codeai-hub update"
        }
        surroundings.announce([
            "level": "info", "message": JSON(message), "type": "update_available", "components": .array(components),
        ])
    }

    // MARK: The file

    private static func read(_ path: String) -> State {
        var state = State()
        guard let bytes = try? readFile(path, limit: 1 << 20), let json = try? JSON.parse(bytes),
            json["schema"]?.intValue == 1
        else { return state }
        if let at = json["checkedAt"]?.stringValue.flatMap(Timestamp.init), let boot = json["bootId"]?.stringValue,
            let seconds = json["bootSeconds"]?.intValue
        {
            state.schedule = UpdateSchedule(checkedAt: at, bootId: boot, bootSeconds: Int64(seconds))
        }
        state.plan = json["plan"]?.objectValue
        state.error = json["error"]?.objectValue
        state.announced = json["announced"]?.stringValue
        return state
    }

    private func write() {
        var object: JSONObject = ["schema": 1]
        if let schedule = state.schedule {
            object["checkedAt"] = JSON(schedule.checkedAt.description)
            object["bootId"] = JSON(schedule.bootId)
            object["bootSeconds"] = .int(schedule.bootSeconds)
        }
        object["plan"] = state.plan.map { .object($0) }
        object["error"] = state.error.map { .object($0) }
        object["announced"] = state.announced.map { JSON($0) }
        do throws(SystemError) {
            try writeFile(surroundings.file, JSON.object(object).serialize() + [0x0a], synchronizes: false)
        } catch {
            surroundings.log.log(.warn, "what was found of new versions can't be kept", ["problem": JSON("\(error)")])
        }
    }
}
