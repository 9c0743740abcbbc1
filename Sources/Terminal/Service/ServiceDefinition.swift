import Base
import Client
import Configuration
import Glibc
import Installations
import JSON

/// What a service manager is to be told of the daemon, from the configuration and the person's choices.
struct ServiceDefinition: Equatable {
    /// Of the home.
    var home: String
    /// The daemon's program, absolute.
    var program: String
    /// The program is the installed release's, whichever that is at the time; else it is this one file.
    var followsInstallations: Bool
    /// The `PATH` that it and the agents get: a service manager's own knows no folder of the person's.
    var searchPath: String
    /// Where the manager listens in the daemon's stead; nil: the daemon listens, from the login on.
    var socket: ServiceRecord.Socket?
    /// How long turns may take to end.
    var grace: Duration
    var isHardened: Bool

    /// - Parameter choices: whether there is a socket, and whether it is hardened.
    init(
        home: HubHome, hasSocket: Bool, isHardened: Bool, searchPath: String
    ) throws(CommandFailure) {
        self.home = home.path
        self.isHardened = isHardened
        self.searchPath = searchPath
        var configuration = Configuration()
        let path = home.path + "/core/config.json"
        do throws(ConfigurationError) {
            // Neither the flags nor the environment of this command are those of the daemon then. Before its first start
            // there is no file.
            if access(path, F_OK) == 0 {
                configuration = try Configuration.load(path: path, environment: [:], createsMissing: false)
                    .configuration
            }
        } catch {
            throw CommandFailure(.refused, "invalid_configuration", "the configuration is not usable:\n\(error)")
        }
        grace = .milliseconds(configuration.lifecycle.graceMs)
        let current = InstallationHome(path: home.path).currentLink + "/codeai-hub-core"
        followsInstallations = access(current, X_OK) == 0
        do throws(HubError) {
            program = followsInstallations ? current : try DaemonLauncher(home: home).findExecutable()
        } catch {
            throw CommandFailure(error)
        }
        guard hasSocket else { return }
        guard configuration.server.port > 0 else {
            throw CommandFailure(
                .refused, "no_port",
                "server.port is 0, any free one: clients could not know where to come. Set a port, or use --no-socket")
        }
        socket = ServiceRecord.Socket(
            host: try ServiceDefinition.address(configuration.server.host),
            port: UInt16(clamping: configuration.server.port))
    }

    /// A socket unit takes no names.
    private static func address(_ host: String) throws(CommandFailure) -> String {
        let plain = host.hasPrefix("[") ? String(host.dropFirst().prefix { $0 != "]" }) : host
        if plain == "localhost" { return "127.0.0.1" }
        guard plain == "::1" || plain.hasPrefix("127.") else {
            throw CommandFailure(
                .refused, "invalid_configuration",
                "server.host is \(host): the daemon listens on loopback addresses only; set it to 127.0.0.1")
        }
        return plain
    }

    /// The absolute folders of this process's `PATH`, each once.
    static func ownSearchPath() -> String {
        var folders: [Substring] = []
        for folder in (environmentVariable("PATH") ?? "").split(separator: ":")
        where folder.hasPrefix("/") && !folders.contains(folder) {
            folders.append(folder)
        }
        return folders.isEmpty ? "/usr/local/bin:/usr/bin:/bin" : folders.joined(separator: ":")
    }

    /// What can't stand in a definition's file, however it is quoted.
    func check(_ manager: ServiceRecord.Manager) throws(CommandFailure) {
        // systemd takes no program with these in its path.
        let isRefused = manager == .systemd && program.utf8.contains { $0 == 0x22 || $0 == 0x27 || $0 == 0x5c }
        guard !isRefused else {
            throw CommandFailure(
                .refused, "invalid_path",
                "systemd starts no program with a quote or a backslash in its path: \(program)")
        }
        for text in [home, program, searchPath] where text.utf8.contains(where: { $0 < 0x20 || $0 == 0x7f }) {
            throw CommandFailure(.refused, "invalid_path", "control characters can't be in a path of a service")
        }
    }
}
