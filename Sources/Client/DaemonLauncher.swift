import Base
import Glibc
import JSON

/// Starts the daemon when none runs, and waits until it answers.
public struct DaemonLauncher: Sendable {
    /// Of the daemon that is meant.
    public var home: HubHome
    /// How long a started daemon may take until it answers.
    public var patience = Duration.seconds(10)
    /// The daemon's program; nil: looked for.
    public var executable: String?

    /// - Parameter executable: the daemon's program, absolute; nil: `CODEAI_HUB_CORE`, beside this program, or in `PATH`.
    public init(home: HubHome, executable: String? = nil) {
        self.home = home
        self.executable = executable
    }

    /// The exit code of a daemon that finds another one on its home.
    private static let exitOtherDaemon: Int32 = 3

    /// A new version that ends again and again makes room for the one before by itself, when it was started more often than
    /// this.
    private static let trialStarts = 3

    /// Whether the home's version of the daemon has still to show that it works.
    private var isOnTrial: Bool { access(home.path + "/core/trial.json", F_OK) == 0 }

    /// Where the daemon is, if it answers; nil when none runs.
    ///
    /// - Throws: `unsafeHome`, and `invalidAnswer` when something else listens at its address.
    public func running() async throws(HubError) -> HubEndpoint? {
        let endpoint: HubEndpoint
        do throws(HubError) {
            endpoint = try HubEndpoint.discover(home: home)
        } catch {
            if error.code == .noDaemon { return nil }
            throw error
        }
        let client = try HubClient(endpoint: endpoint)
        defer { client.close() }
        do throws(HubError) {
            let health = try await client.request("GET", "/health", timeout: .seconds(5))
            guard health.isSuccess, (try? health.json())?["status"]?.stringValue == "ok" else {
                throw HubError(
                    .invalidAnswer, "\(endpoint.authority) answers \(health.status) to /health: is it another program?")
            }
            return endpoint
        } catch {
            if error.code == .noDaemon || error.code == .connectionLost { return nil }
            throw error
        }
    }

    /// The running daemon, started when there was none. Two callers at once end with the same daemon. Where a service
    /// manager is to start it, that one is asked.
    ///
    /// - Throws: `launchFailed` when the program is not found, ends, or does not answer in time.
    public func ensureRunning() async throws(HubError) -> (endpoint: HubEndpoint, started: Bool) {
        if let endpoint = try await running() { return (endpoint, false) }
        if let service = try ServiceRecord.read(home), let endpoint = try await activate(service) {
            return (endpoint, true)
        }
        let program = try findExecutable()
        let log = home.path + "/logs/core-start.log"
        var pid = try DaemonProcess.spawn(program, home: home, log: log)
        var failures = 0
        let clock = ContinuousClock()
        let deadline = clock.now + patience
        var delay = Duration.milliseconds(5)
        while clock.now < deadline {
            try? await Task.sleep(for: delay)
            delay = min(delay * 2, .milliseconds(100))
            if let endpoint = try await running() { return (endpoint, endpoint.pid == pid) }
            guard let code = DaemonProcess.exitCode(of: pid) else { continue }
            if code != DaemonLauncher.exitOtherDaemon { failures += 1 }
            guard code == DaemonLauncher.exitOtherDaemon || (isOnTrial && failures <= DaemonLauncher.trialStarts) else {
                throw HubError(
                    .launchFailed, "\(program) ended with code \(code): \(DaemonProcess.tail(of: log))")
            }
            // Exit 3 is no failure: another client's daemon was faster and will answer soon, or one that is stopping
            // still holds the home and will be gone soon.
            try? await Task.sleep(for: .milliseconds(50))
            if let endpoint = try await running() { return (endpoint, false) }
            pid = try DaemonProcess.spawn(program, home: home, log: log)
        }
        throw HubError(.launchFailed, "\(program) was started but does not answer after \(patience); see \(log)")
    }

    /// Has the service manager start it.
    /// - Returns: nil when that can't be had, as after somebody has removed its files by hand.
    private func activate(_ service: ServiceRecord) async throws(HubError) -> HubEndpoint? {
        // A connection is all that it waits for. Who holds the address is asked first: it could be anybody.
        if let socket = service.socket, LoopbackListener.belongsToUs(host: socket.host, port: socket.port) {
            let client = try HubClient(endpoint: HubEndpoint(host: socket.host, port: socket.port))
            defer { client.close() }
            // Who may not look without the token is answered, too.
            if (try? await client.request("GET", "/health", timeout: patience)) != nil,
                let endpoint = try await running()
            {
                return endpoint
            }
        }
        guard service.manager == .systemd, let manager = UserManager(home: home) else { return nil }
        // After too many failures in a row it doesn't start anything until it is told to forget them.
        let units = service.socket == nil ? UserManager.service : UserManager.socket
        _ = manager.call("reset-failed", UserManager.service, units)
        guard manager.call("start", "--no-block", units, UserManager.service).code == 0 else { return nil }
        let clock = ContinuousClock()
        let deadline = clock.now + patience
        while clock.now < deadline {
            try? await Task.sleep(for: .milliseconds(50))
            if let endpoint = try await running() { return endpoint }
            let state = manager.show(UserManager.service, ["ActiveState"])["ActiveState"]
            guard state == "activating" || state == "active" || state == "reloading" else { return nil }
        }
        return nil
    }

    /// `CODEAI_HUB_CORE` names a program outright; else it is of the version in force, when this program is of one that is
    /// installed in the home; else it is beside this one, or in the PATH.
    package func findExecutable(environment: (String) -> String? = environmentVariable) throws(HubError) -> String {
        if let executable { return executable }
        let name = "codeai-hub-core"
        if let named = environment("CODEAI_HUB_CORE"), !named.isEmpty {
            guard named.isAbsolutePath, access(named, X_OK) == 0 else {
                throw HubError(.launchFailed, "CODEAI_HUB_CORE is not the absolute path of a program: \(named)")
            }
            return named
        }
        var folders: [String] = []
        if let folder = DaemonProcess.ownPath()?.parentPath {
            folders += [inForce(beside: folder), folder].compactMap { $0 }
        }
        // A relative entry of PATH would run whatever lies in the current folder.
        folders += (environment("PATH") ?? "").split(separator: ":").map(String.init).filter { $0.isAbsolutePath }
        if let folder = folders.first(where: { access($0 + "/" + name, X_OK) == 0 }) { return folder + "/" + name }
        throw HubError(
            .launchFailed, "\(name) is neither beside this program nor in the PATH: set CODEAI_HUB_CORE to its path")
    }

    /// Versions lie beside one another in the home, with a link to the one in force: by it this program may be an older one.
    private func inForce(beside version: String) -> String? {
        guard let versions = version.parentPath, let core = versions.parentPath else { return nil }
        var (ours, homes) = (stat(), stat())
        guard stat(core, &ours) == 0, stat(home.path + "/core", &homes) == 0,
            ours.st_dev == homes.st_dev, ours.st_ino == homes.st_ino,
            let real = realpath(versions + "/current", nil)
        else { return nil }
        defer { free(real) }
        return String(cString: real)
    }
}
