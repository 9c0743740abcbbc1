import Base
import Client
import Installations
import JSON
import Releases

/// The core's program as the judge of modules: the one that is in force when it is asked.
struct CoreJudge: ModuleJudge {
    let home: HubHome
    let installation: InstallationHome

    func modules() throws(ReleaseError) -> ModulesInForce {
        let answer = try ask(["provider-check", "--modules"])
        guard let core = answer["core"]?.stringValue.flatMap({ Version($0) }),
            let modules = answer["modules"]?.objectValue
        else { throw ReleaseError(.coreTooOld, "this core knows no modules of providers: codeai-hub update") }
        var present = ModulesInForce(core: core, known: [], versions: [:])
        for (id, version) in modules {
            present.known.insert(id)
            present.versions[id] = version.stringValue.flatMap { Version($0) }
        }
        return present
    }

    func check(_ file: String) throws(ReleaseError) -> (id: String, version: Version) {
        let answer = try ask(["provider-check", "--module", file])
        guard let id = answer["id"]?.stringValue,
            let version = answer["moduleVersion"]?.stringValue.flatMap({ Version($0) })
        else { throw ReleaseError(.moduleUnusable, "the core can't tell what \(file) is") }
        return (id, version)
    }

    private func ask(_ arguments: [String]) throws(ReleaseError) -> JSON {
        let program: String
        do throws(HubError) { program = try self.program } catch {
            throw ReleaseError(.moduleUnusable, error.message)
        }
        guard let (code, output) = DaemonProcess.capture(program, arguments, home: home) else {
            throw ReleaseError(.moduleUnusable, "\(program) can't be started")
        }
        guard code == 0, let answer = try? JSON.parse(output) else {
            let words = String(decoding: output.prefix(2000), as: UTF8.self).split(separator: "\n").last ?? ""
            throw ReleaseError(
                .moduleUnusable,
                words.isEmpty ? "\(program) ended with code \(code)" : "the core can't use it: \(words)")
        }
        return answer
    }

    private var program: String {
        get throws(HubError) {
            if environmentVariable("CODEAI_HUB_CORE") == nil, let version = installation.installed(),
                installation.isWhole(version)
            {
                return installation.daemon(version)
            }
            return try DaemonLauncher(home: home).findExecutable()
        }
    }
}
