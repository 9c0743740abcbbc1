package import Base
package import HubProtocol
package import JSON
package import Server

/// What the routes need of the daemon around them.
package protocol CoreControl: AnyObject {
    var identity: CoreIdentity { get }
    /// The settings that clients may see.
    var settings: JSONObject { get }
    /// Every setting: its type, range, default, and what else there is to know.
    var settingsSchema: [JSON] { get }
    /// How the configuration is: `{path, problems, needsRestart, overridden}`.
    var configuration: JSONObject { get }
    /// Processes that the daemon has started and that still run, with what they take.
    var children: [ChildUsage] { get }
    /// The daemon's own resident memory, in bytes.
    var residentMemory: Int { get }
    var traffic: ServerMetrics { get }
    /// How the daemon itself fares.
    var vitals: CoreVitals { get }
    /// What is known of new versions: `{checkedAt, components, error?}`; nil where nobody has looked.
    var update: JSONObject? { get }
    /// Packs what helps to find out what is wrong: a tar.bz2.
    func diagnostics(_ done: @escaping (Result<[UInt8], Failure>) -> Void)
    /// Begins to stop; the answer to the request that asked is still sent.
    func shutDown(graceMs: Int?, by client: String)
    /// Begins to restart, if that can work: `answer` hears before anything is ended.
    func restart(graceMs: Int?, by client: String, answer: @escaping (Result<JSONObject, Failure>) -> Void)
}

extension CoreControl {
    package var update: JSONObject? { nil }
    package var settingsSchema: [JSON] { [] }
    package var configuration: JSONObject { [:] }
}

package struct CoreIdentity: Sendable {
    package var version: String
    package var instanceId: String
    package var pid: Int32
    package var host: String
    package var port: UInt16
    package var startedAt: Timestamp

    package init(version: String, instanceId: String, pid: Int32, host: String, port: UInt16, startedAt: Timestamp) {
        self.version = version
        self.instanceId = instanceId
        self.pid = pid
        self.host = host
        self.port = port
        self.startedAt = startedAt
    }

    /// Seconds since the start.
    package var uptime: Double { Double(Timestamp.now.milliseconds - startedAt.milliseconds) / 1000 }

    package var json: JSONObject {
        [
            "version": JSON(version), "instanceId": JSON(instanceId), "pid": .int(Int64(pid)), "host": JSON(host),
            "port": .int(Int64(port)), "startedAt": JSON(startedAt.description), "protocol": 1,
        ]
    }
}

/// A provider's process; some providers have one for several sessions.
package struct ChildUsage: Sendable {
    package var pid: Int32
    package var providerId: String
    package var sessionIds: [String]
    /// Resident memory of the process and all its descendants, in bytes.
    package var residentMemory: Int
    package var processes: Int

    package init(pid: Int32, providerId: String, sessionIds: [String], residentMemory: Int, processes: Int) {
        self.pid = pid
        self.providerId = providerId
        self.sessionIds = sessionIds
        self.residentMemory = residentMemory
        self.processes = processes
    }

    var json: JSON {
        [
            "pid": .int(Int64(pid)), "providerId": JSON(providerId), "sessionIds": JSON(sessionIds),
            "rss": JSON(residentMemory), "processes": JSON(processes),
        ]
    }
}

/// The providers, as clients see them.
package protocol ProviderDirectory: AnyObject {
    /// The provider records, in a fixed order.
    var records: [JSON] { get }
    func record(_ providerId: String) -> JSONObject?
    /// What is wrong with manifests: `{path, key, reason}`.
    var problems: [JSON] { get }
    /// Looks anew whether the provider is installed and logged in.
    func check(_ providerId: String, _ done: @escaping (Result<JSONObject, Failure>) -> Void)
    func setEnabled(_ providerId: String, _ isEnabled: Bool) throws(Failure)
    /// Begins to carry out a recipe of the provider's manifest; nil for the first that can be.
    /// - Returns: the record of the operation.
    func install(_ providerId: String, recipe: String?, version: String?) throws(Failure) -> JSONObject
    func cancelInstall(_ providerId: String) throws(Failure)
    func uninstall(_ providerId: String) throws(Failure)
    /// What the person runs in a terminal to log in.
    func login(_ providerId: String) throws(Failure) -> JSONObject
}
