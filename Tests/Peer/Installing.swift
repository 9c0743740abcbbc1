import Base
import Digests
import Glibc
import Installations

/// One change of a home's installation, to be killed in the middle of. Arguments: the change, the home, then what it needs:
///
///     install VERSION PACKAGE   unpack, try, switch, clean up        discard VERSION
///     confirm                   roll-back                            settle
///     start                     what a daemon does at its start      uninstall
///     module VERSION PACKAGE    of the provider x
///
/// Ends with 0, or with 3 and the error's code on its output.
enum Installing {
    static func run(arguments: [String]) throws {
        guard arguments.count >= 2 else { exit(2) }
        let home = InstallationHome(path: arguments[1])
        do {
            try change(arguments[0], home, Array(arguments.dropFirst(2)))
        } catch let error as InstallationError {
            print(error.code.rawValue, error.message)
            exit(3)
        }
        print("done")
    }

    private static func change(_ change: String, _ home: InstallationHome, _ arguments: [String]) throws {
        if change == "start" {
            guard let trial = home.trial else { return }
            return print(DaemonTrial(home, program: home.daemon(trial.version)).begin())
        }
        let installer = try Installer(home)
        switch change {
        case "module":
            let package = try described(arguments, .provider("x"))
            try installer.unpack(package)
            try installer.switchTo(package.version, of: package.component)
        case "install":
            let package = try described(arguments, .core)
            try installer.settle()
            try installer.unpack(package)
            try installer.preflight(package.version)
            try installer.switchTo(package.version)
            try installer.cleanUp(keep: 1)
        case "confirm": try installer.confirm()
        case "roll-back": try installer.rollBack(reason: "the test wants it")
        case "settle": try installer.settle()
        case "discard": try installer.discard(Version(arguments[0])!)
        case "uninstall": try installer.uninstall(keepData: false)
        default: exit(2)
        }
    }

    private static func described(_ arguments: [String], _ component: Component) throws -> Package {
        let bytes = try readFile(arguments[1], limit: 1 << 26)
        return Package(
            component: component, version: Version(arguments[0])!, file: arguments[1], size: bytes.count,
            sha1: sha1(bytes), sha256: sha256(bytes), source: arguments[1])
    }
}
