import Base
import CLinux
import Glibc
import Installations

/// The daemon's folder, `~/.codeai-hub` unless told otherwise, and the places in it.
struct Home {
    let path: String

    /// - Throws: when the folder can't be made, or isn't this user's alone: whoever else may write there could put
    ///   programs of theirs in our place.
    init(environment: [String: String]) throws(StartError) {
        path = try Home.path(environment)
        do throws(SystemError) {
            for folder in Home.folders { try makeDirectories(path + folder) }
        } catch {
            throw StartError("The folder \(path) can't be prepared: \(error).", exitCode: .configuration)
        }
        for folder in Home.folders { try Home.requireOwn(path + folder) }
        if let folder = untrustedAncestor(of: path) {
            throw StartError(
                "Others may write to the folder \(folder): they could put a folder of theirs in the place of \(path). "
                    + "Run: chmod go-w \(folder), or choose another CODEAI_HUB_HOME.", exitCode: .configuration)
        }
    }

    /// Where it is, before anything has been looked at.
    static func path(_ environment: [String: String]) throws(StartError) -> String {
        do throws(HomeFolder.Missing) { return try HomeFolder.ofHub { environment[$0] } } catch {
            throw StartError("\(error.message).", exitCode: .configuration)
        }
    }

    private static let folders = ["", "/core", "/sessions", "/providers", "/logs", "/backups"]

    /// Each of them: the configuration in `core` and the manifests in `providers` name programs to run.
    private static func requireOwn(_ folder: String) throws(StartError) {
        var information = stat()
        guard stat(folder, &information) == 0, information.st_uid == getuid() else {
            throw StartError("The folder \(folder) belongs to another user.", exitCode: .configuration)
        }
        guard information.st_mode & 0o022 == 0 else {
            throw StartError(
                "Others may write to the folder \(folder). Run: chmod 700 \(folder)", exitCode: .configuration)
        }
    }

    var configuration: String { path + "/core/config.json" }
    var endpoint: String { path + "/core/endpoint.json" }
    /// There while a daemon runs: see `LifeMarker`.
    var marker: String { path + "/core/running" }
    var lock: String { path + "/core/core.lock" }
    /// What deleted sessions cost.
    var usage: String { path + "/core/usage.jsonl" }
    /// The person's own prices of models; need not exist.
    var prices: String { path + "/core/prices.json" }
    /// What sessions are searched by; derived from their logs.
    var search: String { path + "/core/search.sqlite" }
    /// What people are writing, a file for each session.
    var drafts: String { path + "/core/drafts" }
    /// What is known of new versions: see `UpdateCheck`.
    var updates: String { path + "/core/updates.json" }
    /// There where a service manager starts the daemon: see `ServiceRecord`.
    var service: String { path + "/core/service.json" }
    var token: String { path + "/core/token" }
    var sessions: String { path + "/sessions" }
    var providers: String { path + "/providers" }
    var logs: String { path + "/logs" }
    /// The versions that are installed in it.
    var installation: InstallationHome { InstallationHome(path: path) }
    var backups: String { path + "/backups" }
}

/// Why the daemon doesn't run, for the person who started it.
struct StartError: Error {
    /// Documented in `--help`.
    enum ExitCode: Int32 {
        case failure = 1
        case usage = 2
        case alreadyRunning = 3
        case addressInUse = 4
        case configuration = 5
    }

    let message: String
    let exitCode: ExitCode

    init(_ message: String, exitCode: ExitCode = .failure) {
        self.message = message
        self.exitCode = exitCode
    }
}
