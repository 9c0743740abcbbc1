import Base
import Client
import Glibc
import Installations
import JSON
import Releases

/// The daemon of a home as an installation needs it. Its calls block; they must not be made on a thread of concurrency's.
final class TerminalDaemonControl: DaemonControl {
    private let home: HubHome
    private let installation: InstallationHome
    let client: HubClient

    init(_ home: HubHome, _ installation: InstallationHome) throws(HubError) {
        self.home = home
        self.installation = installation
        client = try HubClient(home: home)
    }

    deinit { client.close() }

    var isHeld: Bool { home.isInUse }

    func health() -> DaemonHealth? {
        let client = client
        let answer = waiting { try? await client.call("GET", "/health", timeout: .seconds(2)) }
        guard let answer, let version = answer["version"]?.stringValue,
            let instance = answer["instanceId"]?.stringValue
        else { return nil }
        return DaemonHealth(version: version, instanceId: instance, turns: answer["activeSessions"]?.intValue ?? 0)
    }

    func restart() throws(ReleaseError) {
        let before = health()?.instanceId
        for _ in 0..<3 {
            do throws(HubError) {
                let client = client
                _ = try result { () async throws(HubError) in try await client.call("POST", "/core/restart", [:]) }
                return
            } catch {
                guard error.leavesOpenWhatHappened else { throw ReleaseError(.restartFailed, error.message) }
                // Who still answers as before is asked again, which it answers as the first time. Any other is on its way.
                guard let before, health()?.instanceId == before else { return }
            }
        }
    }

    func start() throws(ReleaseError) {
        guard let version = installation.installed() else {
            throw ReleaseError(.restartFailed, "nothing is installed that could be started")
        }
        let launcher = DaemonLauncher(home: home, executable: installation.daemon(version))
        try control { () async throws(HubError) in try await launcher.ensureRunning() }
    }

    /// SIGTERM, and SIGKILL for one that doesn't hear it.
    func end() {
        for (signal, seconds) in [(SIGTERM, 5), (SIGKILL, 5)] {
            guard let pid = holder else { return }
            kill(pid, signal)
            for _ in 0..<(seconds * 50) {
                guard isHeld else { return }
                usleep(20_000)
            }
        }
    }

    /// Who has the daemon's lock, by what the kernel says; a number that is written down somewhere may be another's by now.
    private var holder: pid_t? {
        let lock = home.path + "/core/core.lock"
        var information = stat()
        guard stat(lock, &information) == 0 else { return nil }
        let locks = (try? readFile("/proc/locks", limit: 4 << 20)) ?? []
        for line in locks.split(separator: 0x0a) {
            // 12: FLOCK  ADVISORY  WRITE 4711 08:02:1234567 0 EOF
            let words = line.split(separator: 0x20).map { String(decoding: $0, as: UTF8.self) }
            guard words.count > 5, words[1] == "FLOCK", words[3] == "WRITE", let pid = pid_t(words[4]), pid > 1,
                words[5].hasSuffix(":\(information.st_ino)"), has(pid, information)
            else { continue }
            return pid
        }
        return nil
    }

    /// Whether a process has the very file open: numbers of files are only unique on their own disk.
    private func has(_ pid: pid_t, _ file: stat) -> Bool {
        (folderEntries("/proc/\(pid)/fd") ?? []).contains { name in
            var information = stat()
            return stat("/proc/\(pid)/fd/\(name)", &information) == 0 && information.st_ino == file.st_ino
                && information.st_dev == file.st_dev
        }
    }

    private func control<Value: Sendable>(
        _ body: @escaping @Sendable () async throws(HubError) -> Value
    ) throws(ReleaseError) {
        do throws(HubError) { _ = try result(body) } catch {
            throw ReleaseError(.restartFailed, error.message)
        }
    }

    private func result<Value: Sendable>(
        _ body: @escaping @Sendable () async throws(HubError) -> Value
    ) throws(HubError) -> Value {
        let result: Result<Value, HubError> = waiting {
            do throws(HubError) { return .success(try await body()) } catch { return .failure(error) }
        }
        return try result.get()
    }

    func waiting<Value: Sendable>(_ body: @escaping @Sendable () async -> Value) -> Value {
        let result = Lock<Value?>(nil)
        let done = Semaphore()
        Task.detached {
            let value = await body()
            result.withLock { $0 = value }
            done.signal()
        }
        done.wait()
        return result.withLock { $0! }
    }
}

extension HubError {
    /// Whether the daemon may have done what it was asked for: the request was sent, or may have been, and no answer came.
    fileprivate var leavesOpenWhatHappened: Bool {
        switch code {
        case .connectionLost, .timeout, .invalidAnswer, .tooLarge, .noDaemon: true
        case .rejected, .unsafeHome, .launchFailed, .closed: false
        }
    }
}
