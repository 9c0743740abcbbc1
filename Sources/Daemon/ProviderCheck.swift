import EventLoop
import Glibc
import HubProtocol
import JSON
import Providers
import Redaction

/// `codeai-hub-core provider-check`: what `GET /providers` answers, without a daemon: for `codeai-hub doctor`.
/// With `--module FILE`: whether this core could use that module; with `--modules`: which ones it has in force. That is for
/// whoever installs or publishes one.
enum ProviderCheck {
    static func run(_ arguments: [String], environment: [String: String]) throws(StartError) -> Int32 {
        if arguments.first == "--module" {
            guard arguments.count == 2 else { throw StartError("--module needs a file.", exitCode: .usage) }
            return try checkModule(arguments[1])
        }
        let home = try Home(environment: environment)
        if arguments == ["--modules"] {
            let modules = ManifestStore.modules(home: home.path, core: Version.current)
            print(JSON.object(["core": JSON(Version.current), "modules": .object(modules)]).description)
            return 0
        }
        var parsed = try Arguments(arguments)
        // Nothing is written here: no defaults, no file brought up to date.
        parsed.action = .checkConfiguration
        let isThere = access(parsed.configurationPath ?? home.configuration, F_OK) == 0
        // One that can't be used is another finding; the providers are looked at without it.
        let settings = isThere ? try? Settings.load(parsed, home: home, environment: environment) : nil
        let loop: EventLoop
        do {
            loop = try EventLoop()
        } catch {
            throw StartError("\(error)")
        }
        let redactor = Redactor()
        let surroundings =
            settings?.surroundings(home, environment, redactor)
            ?? ProviderRegistry.Surroundings(
                hubHome: home.path, program: ownProgram(), environment: environment, owner: home.path)
        let catalogue = Catalogue(
            registry: ProviderRegistry(
                surroundings: surroundings, overrides: settings?.providers ?? [:], loop: loop))
        catalogue.registry.checkAll { loop.stop() }
        // Whatever a program does that was asked for its version.
        loop.schedule(after: ProviderRegistry.probeTime + .seconds(1)) { loop.stop() }
        loop.run()
        print(
            JSON.object(["providers": .array(catalogue.records), "problems": .array(catalogue.problems)]).description)
        return 0
    }

    private static func checkModule(_ path: String) throws(StartError) -> Int32 {
        let module: ProviderManifest
        do throws(ManifestError) {
            module = try ProviderManifest(module: path, core: Version.current)
        } catch {
            throw StartError("\(error)", exitCode: .configuration)
        }
        print(JSON.object(module.identity).description)
        return 0
    }
}
