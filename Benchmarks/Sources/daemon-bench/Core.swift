import API
import Base
import Glibc
import HubProtocol
import JSON
import Server

/// What the API wants to know of the daemon around it.
final class Core: CoreControl, HubContext, ProviderDirectory {
    var identity = CoreIdentity(
        version: "0.0.0", instanceId: "bench", pid: getpid(), host: "127.0.0.1", port: 0, startedAt: .now)
    var core: JSONObject { identity.json }
    var providers: [JSON] { records }
    let problems: [JSON] = []
    let settings: JSONObject = [:]
    let children: [ChildUsage] = []
    let residentMemory = 0
    let traffic = ServerMetrics()
    let vitals = CoreVitals()

    func diagnostics(_ done: @escaping (Result<[UInt8], Failure>) -> Void) { done(.success([])) }
    func shutDown(graceMs: Int?, by client: String) {}
    func restart(graceMs: Int?, by client: String, answer: @escaping (Result<JSONObject, Failure>) -> Void) {}

    let records: [JSON] = [["id": "echo", "name": "Echo", "status": "active", "installed": true]]
    func record(_ providerId: String) -> JSONObject? { records[0].objectValue }
    func check(_ providerId: String, _ done: @escaping (Result<JSONObject, Failure>) -> Void) {}

    // Nothing of this is asked for here.
    func setEnabled(_ providerId: String, _ isEnabled: Bool) throws(Failure) {}
    func install(_ providerId: String, recipe: String?, version: String?) throws(Failure) -> JSONObject { [:] }
    func cancelInstall(_ providerId: String) throws(Failure) {}
    func uninstall(_ providerId: String) throws(Failure) {}
    func login(_ providerId: String) throws(Failure) -> JSONObject { [:] }
}
