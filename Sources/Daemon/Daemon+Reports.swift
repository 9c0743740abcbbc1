import API
import Base
import Configuration
import Glibc
import JSON
import Processes
import Server
import Sessions

/// What clients are told of the daemon.
extension Daemon {
    var core: JSONObject { identity.json }
    var settings: JSONObject { configured.forClients }
    var settingsSchema: [JSON] {
        SettingTable.keys(providers: configured.configuration.providers.keys.sorted()).map { .object($0.json) }
    }
    var configuration: JSONObject { configured.report }
    var providers: [JSON] { catalogue.records }

    var children: [ChildUsage] {
        // By process, since sessions may share one.
        var running: [Int32: (providerId: String, sessionIds: [String])] = [:]
        for session in service.loaded.values {
            for process in session.processes {
                running[process.pid, default: (process.providerId, [])].sessionIds.append(session.id)
            }
        }
        guard !running.isEmpty else { return [] }
        let table = ProcessTable.snapshot()
        return running.sorted { $0.key < $1.key }.map { pid, owner in
            ChildUsage(
                pid: pid, providerId: owner.providerId, sessionIds: owner.sessionIds.sorted(),
                residentMemory: table.residentBytes(ofTree: pid), processes: 1 + table.descendants(of: pid).count)
        }
    }

    var residentMemory: Int { residentBytes() }

    var vitals: CoreVitals {
        var vitals = ownVitals
        vitals.lostLogLines = log.lost + audit.lost
        vitals.process = processVitals()
        return vitals
    }

    var traffic: ServerMetrics { server.metrics }

    /// For whoever looks at the service.
    var summary: String {
        let running = service.activeCount
        return "\(service.count) sessions, \(running) running; \(hub.clientCount) clients"
    }
}

/// This process's resident memory.
private func residentBytes() -> Int {
    guard let bytes = try? readFile("/proc/self/statm", limit: 4096) else { return 0 }
    let fields = String(decoding: bytes, as: UTF8.self).split(separator: " ")
    return fields.count > 1 ? (Int(fields[1]) ?? 0) * Int(getpagesize()) : 0
}
