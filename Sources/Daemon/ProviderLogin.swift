import Base
import EventLoop
import Glibc
import HubProtocol
import Providers
import Redaction

/// `codeai-hub-core provider-login ID`: becomes the vendor's own login, in the terminal it was started in.
///
/// What it needs, variables of the configuration among them, it reads from the same files as the daemon and under the
/// same user, so that nothing of it has to travel through the protocol.
enum ProviderLogin {
    static func run(_ arguments: [String], environment: [String: String]) throws(StartError) -> Int32 {
        guard let id = arguments.first, !id.hasPrefix("-") else {
            throw StartError("provider-login needs a provider's id.", exitCode: .usage)
        }
        let home = try Home(environment: environment)
        let settings = try Settings.load(Arguments(Array(arguments.dropFirst())), home: home, environment: environment)
        let launch: ProviderLaunch
        do {
            let registry = ProviderRegistry(
                surroundings: settings.surroundings(home, environment, Redactor()), overrides: settings.providers,
                loop: try EventLoop())
            launch = try registry.loginLaunch(id)
        } catch let failure as Failure {
            throw StartError(failure.message)
        } catch {
            throw StartError("\(error)")
        }
        throw StartError(execute(launch))
    }

    /// Returns only when it fails, with the reason.
    private static func execute(_ launch: ProviderLaunch) -> String {
        let words: [UnsafeMutablePointer<CChar>?] = ([launch.executable] + launch.arguments).map { strdup($0) } + [nil]
        let variables: [UnsafeMutablePointer<CChar>?] = launch.environment.map { strdup("\($0)=\($1)") } + [nil]
        execve(launch.executable, words, variables)
        return "\(SystemError.current("start \(launch.executable)"))"
    }
}
