import Base
import Foundation
package import JSON

/// The real daemon as a process, with a home of its own and a free port.
///
/// Blocks where it waits; every wait has a bound. Whatever it started is gone after `close()`, which the last
/// reference calls too.
package final class TestDaemon: @unchecked Sendable {
    package struct Exit: Equatable, Sendable {
        /// The exit code, or minus the signal's number.
        package var code: Int32
        package var log: String
    }

    /// Above `home`: stands in for the person's home folder.
    package let folder: TemporaryFolder
    /// `CODEAI_HUB_HOME`.
    package let home: String
    package var environment: [String: String]
    package var arguments: [String] = []
    /// Whether its logs are as a daemon writes them: false where the test itself writes into them.
    package var hasHonestLogs = true
    /// What the daemon finds open from descriptor 3 on, as from a service manager.
    package var descriptors: [Int32] = []
    /// What is started.
    package var program = TestDaemon.executable
    /// A program, and its arguments, that becomes the daemon's.
    package var launcher: [String] = []
    /// For a daemon of another user.
    package var sendsToken = false

    private struct State {
        var pid: Int32 = 0
        var port: UInt16 = 0
        var seen: Set<ProcessTable.Entry> = []
    }
    private let state = Lock(State())

    package var pid: Int32 { state.withLock { $0.pid } }
    /// Changes with each start, unless `keepPort` was called.
    package var port: UInt16 { state.withLock { $0.port } }
    package var authority: String { "127.0.0.1:\(port)" }

    /// - Parameter configuration: members of `core/config.json`; the daemon's defaults where nil.
    package init(configuration: JSONObject? = nil, environment extra: [String: String] = [:]) throws {
        folder = try TemporaryFolder("daemon")
        home = folder.path + "/hub"
        environment = [
            "HOME": folder.path, "CODEAI_HUB_HOME": home, "CORE_PORT": "0", "CORE_LOG_LEVEL": "debug",
            "LANG": "C.UTF-8",
            "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        ]
        environment.merge(extra) { $1 }
        try FileManager.default.createDirectory(
            atPath: home, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
        if var configuration {
            configuration["schemaVersion"] = configuration["schemaVersion"] ?? 1
            try folder.write("hub/core/config.json", JSON.object(configuration).description)
        }
        CleanUp.atExit()
    }

    deinit { close() }

    /// The folder in which the build put the programs, the tests beside them.
    package static let programs: String = {
        let own = (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")) ?? ""
        return (own as NSString).deletingLastPathComponent
    }()

    package static var executable: String { programs + "/codeai-hub-core" }

    // MARK: Starting

    /// Starts the daemon and waits until it answers.
    package func start(within limit: Duration = .seconds(20)) throws {
        let pid = try spawn()
        try eventually("the daemon answers; its log: \(log)", within: limit) {
            if let exit = exitIfEnded() { throw TestFailure("the daemon ended with \(exit.code): \(exit.log)") }
            guard let text = folder.read("hub/core/endpoint.json"), let endpoint = try? JSON.parse(text),
                endpoint["pid"]?.intValue == Int(pid), let port = endpoint["port"]?.intValue
            else { return false }
            state.withLock { $0.port = UInt16(port) }
            return (try? http("GET", "/health").status) == 200
        }
    }

    /// Starts the daemon and waits until it has ended by itself: for starts that must fail.
    package func runToEnd(within limit: Duration = .seconds(20)) throws -> Exit {
        _ = try spawn()
        return try waitForExit(within: limit)
    }

    /// Starts the daemon and kills it, however far it has come by then.
    package func startAndKill(after microseconds: UInt32) throws -> Exit {
        _ = try spawn()
        usleep(microseconds)
        return try kill()
    }

    /// The next starts ask for the port the daemon has now.
    package func keepPort() { environment["CORE_PORT"] = String(port) }

    private func spawn() throws -> Int32 {
        precondition(pid == 0, "the daemon is running")
        let output = open(folder.path + "/daemon.log", O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o600)
        let input = open("/dev/null", O_RDONLY | O_CLOEXEC)
        defer {
            Glibc.close(output)
            Glibc.close(input)
        }
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_adddup2(&actions, input, 0)
        posix_spawn_file_actions_adddup2(&actions, output, 1)
        posix_spawn_file_actions_adddup2(&actions, output, 2)
        // Out of the range that is written to.
        let passed = descriptors.map { fcntl($0, F_DUPFD_CLOEXEC, 512) }
        defer { for fd in passed { Glibc.close(fd) } }
        for (index, fd) in passed.enumerated() {
            posix_spawn_file_actions_adddup2(&actions, fd, Int32(3 + index))
        }
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETPGROUP))
        var environment = self.environment
        var words = launcher + [program] + arguments
        if !descriptors.isEmpty {
            environment["LISTEN_FDS"] = environment["LISTEN_FDS"] ?? "\(descriptors.count)"
            // Nobody but the process itself knows its number beforehand.
            words = ["/bin/sh", "-c", #"export LISTEN_PID=${LISTEN_PID-$$}; exec "$0" "$@""#] + words
        }
        var argv = words.map { strdup($0) } + [nil]
        var envp = environment.map { strdup("\($0)=\($1)") } + [nil]
        defer { for pointer in argv + envp { free(pointer) } }
        var pid: pid_t = 0
        let error = posix_spawn(&pid, words[0], &actions, &attributes, &argv, &envp)
        guard error == 0 else {
            throw TestFailure("cannot start \(words[0]): \(String(cString: strerror(error)))")
        }
        state.withLock { $0.pid = pid }
        CleanUp.add(pid)
        return pid
    }

    // MARK: Ending

    /// Ends the daemon like a power cut for the process: SIGKILL, then waits until it is gone.
    @discardableResult
    package func kill() throws -> Exit {
        rememberDescendants()
        Glibc.kill(pid, SIGKILL)
        return try waitForExit(within: .seconds(10))
    }

    /// Asks the daemon to end, and waits for it.
    @discardableResult
    package func stop(_ signal: Int32 = SIGTERM, within limit: Duration = .seconds(20)) throws -> Exit {
        rememberDescendants()
        Glibc.kill(pid, signal)
        return try waitForExit(within: limit)
    }

    package func restart() throws {
        try kill()
        try start()
    }

    /// Has the daemon restart itself, and waits until the new one answers.
    /// - Returns: the answer to the request.
    @discardableResult
    package func restartItself(graceMs: Int? = nil, within limit: Duration = .seconds(30)) throws -> JSON {
        let answer = try call("POST", "/core/restart", graceMs.map { ["graceMs": JSON($0)] })
        try awaitSuccessor(of: answer["instanceId"], within: limit)
        return answer
    }

    package func awaitSuccessor(of instanceId: JSON?, within limit: Duration = .seconds(30)) throws {
        try eventually("another instance answers; the daemon's log: \(log)", within: limit) {
            if let exit = exitIfEnded() { throw TestFailure("the daemon ended with \(exit.code): \(exit.log)") }
            let answer = try http("GET", "/health").json["instanceId"]
            return answer != nil && answer != instanceId
        }
    }

    package func waitForExit(within limit: Duration = .seconds(20)) throws -> Exit {
        var exit: Exit?
        try eventually("the daemon ends; its log: \(log)", within: limit) {
            exit = exitIfEnded()
            return exit != nil
        }
        return exit!
    }

    private func exitIfEnded() -> Exit? {
        let pid = self.pid
        guard pid > 0 else { return nil }
        var status: Int32 = 0
        guard waitpid(pid, &status, WNOHANG) == pid else { return nil }
        CleanUp.remove(pid)
        state.withLock { $0.pid = 0 }
        let code = status & 0x7f == 0 ? (status >> 8) & 0xff : -(status & 0x7f)
        return Exit(code: code, log: log)
    }

    /// Everything the daemon has started and that is still running, itself not included.
    package var children: [ProcessTable.Entry] { ProcessTable.descendants(of: pid).filter { $0.state != "Z" } }

    private func rememberDescendants() {
        guard pid > 0 else { return }
        let found = ProcessTable.descendants(of: pid)
        state.withLock { $0.seen.formUnion(found) }
    }

    /// Processes this daemon had started that outlived it.
    package var survivors: [ProcessTable.Entry] {
        state.withLock { $0.seen }.filter { ProcessTable.isRunning($0) }
    }

    package func close() {
        rememberDescendants()
        if pid > 0 {
            Glibc.kill(pid, SIGKILL)
            _ = try? waitForExit(within: .seconds(5))
        }
        for entry in survivors { Glibc.kill(entry.pid, SIGKILL) }
        if hasHonestLogs { Recording.logs(in: home + "/sessions") }
        // Once: the last reference comes by here, too.
        hasHonestLogs = false
    }

    // MARK: What it wrote

    /// The end of what the daemon has printed.
    package var log: String { String((folder.read("daemon.log") ?? "").suffix(6000)) }

    /// The lines of a session's log file, the header first.
    package func sessionLog(_ sessionId: String) throws -> [JSON] {
        guard let text = folder.read("hub/sessions/\(sessionId).jsonl") else {
            throw TestFailure("there is no log of \(sessionId)")
        }
        return try text.split(separator: "\n").map { try JSON.parse(String($0)) }
    }

    package var token: String? { folder.read("hub/core/token")?.trimmingCharacters(in: .whitespacesAndNewlines) }

    // MARK: Talking to it

    /// One request on a connection of its own.
    package func http(
        _ method: String, _ path: String, _ body: JSON? = nil, headers: [(String, String)] = [],
        within limit: Duration = .seconds(10)
    ) throws -> RawResponse {
        try http(method, path, bytes: body?.serialize(), headers: headers, within: limit)
    }

    package func http(
        _ method: String, _ path: String, bytes: [UInt8]?, headers: [(String, String)] = [],
        within limit: Duration = .seconds(10)
    ) throws -> RawResponse {
        let connection = try RawConnection(port: port)
        var head = "\(method) \(path) HTTP/1.1\r\n"
        if !headers.contains(where: { $0.0.lowercased() == "host" }) { head += "Host: \(authority)\r\n" }
        for (name, value) in headers { head += "\(name): \(value)\r\n" }
        if sendsToken, !headers.contains(where: { $0.0.lowercased() == "authorization" }) {
            head += "Authorization: Bearer \(token ?? "")\r\n"
        }
        if let bytes {
            if !headers.contains(where: { $0.0.lowercased() == "content-type" }) {
                head += "Content-Type: application/json\r\n"
            }
            head += "Content-Length: \(bytes.count)\r\n"
        }
        try connection.send(Array((head + "Connection: close\r\n\r\n").utf8) + (bytes ?? []))
        guard let response = try connection.response(hasBody: method != "HEAD", within: limit) else {
            throw TestFailure("\(method) \(path): the connection ended without an answer; log: \(log)")
        }
        let type = headers.first { $0.0.lowercased() == "content-type" }?.1
        if hasHonestLogs { Recording.answer(method, path, request: bytes, requestType: type, response) }
        return response
    }

    /// As `http` below `/api/v1`, for what must succeed.
    @discardableResult
    package func call(_ method: String, _ path: String, _ body: JSON? = nil) throws -> JSON {
        let response = try http(method, "/api/v1" + path, body)
        guard (200..<300).contains(response.status) else {
            throw TestFailure("\(method) \(path): \(response.status) \(response.text)")
        }
        return response.json
    }

    package func webSocket(headers: [(String, String)] = [], receiveBuffer: Int32? = nil) throws -> RawWebSocket {
        try RawWebSocket(port: port, headers: headers, receiveBuffer: receiveBuffer)
    }
}

/// Daemons that still run when the tests' process ends.
private enum CleanUp {
    private static let running = Lock<Set<Int32>>([])
    private static let once: Void = {
        atexit { CleanUp.killAll() }
    }()

    static func atExit() { once }
    static func add(_ pid: Int32) { running.withLock { _ = $0.insert(pid) } }
    static func remove(_ pid: Int32) { running.withLock { _ = $0.remove(pid) } }
    static func killAll() {
        for pid in running.withLock({ $0 }) { kill(-pid, SIGKILL) }
    }
}
