import Base
import EventLog
import HTTP1
import HubProtocol
import JSON
import Providers
import Server
import Sessions

/// The daemon itself over HTTP: health, status, metrics, shutdown.
extension APIHandler {
    func addCoreRoutes(to router: inout Router) {
        router.add(.get, "health") { [self] _ throws(Failure) in .json(200, .object(health)) }
        router.add(.get, "status") { [self] _ throws(Failure) in .json(200, .object(status)) }
        router.add(.post, "core/shutdown") { [self] request throws(Failure) in
            let grace = try request.fields().int("graceMs", in: 0...600_000)
            service.auditor?.record("core_shutdown", by: request.client, sessionId: nil, details: [:])
            core.shutDown(graceMs: grace, by: request.client.name)
            return .json(202, ["stopping": true])
        }
        router.add(.post, "core/restart") { [self] request throws(Failure) in
            let grace = try request.fields().int("graceMs", in: 0...600_000)
            service.auditor?.record("core_restart", by: request.client, sessionId: nil, details: [:])
            return .later { [self] answer in
                core.restart(graceMs: grace, by: request.client.name) { result in
                    answer(result.map { .json(202, .object($0)) })
                }
            }
        }
    }

    var health: JSONObject {
        [
            "status": "ok", "version": JSON(core.identity.version), "instanceId": JSON(core.identity.instanceId),
            "uptime": JSON(core.identity.uptime),
            "clients": JSON(hub.clientCount), "activeSessions": JSON(service.activeCount),
        ]
    }

    private var status: JSONObject {
        var information = core.identity.json
        information["uptime"] = JSON(core.identity.uptime)
        information["clients"] = JSON(hub.clientCount)
        information["memory"] = ["rss": JSON(core.residentMemory)]
        information["update"] = core.update.map { .object($0) }
        information["children"] = .array(core.children.map(\.json))
        let recoveries = service.store.recoveries.map { JSON.object($0.json) }
        let sessions = service.overview(newest: hub.limits.snapshotSessions)
        return [
            "core": .object(information), "sessionsTotal": JSON(service.count),
            "sessionsOmitted": JSON(service.count - sessions.count),
            "sessions": .array(sessions.map { .object(service.record(of: $0.state)) }),
            "providers": .array(providers.records), "providerProblems": .array(providers.problems),
            "recoveries": .array(recoveries), "configuration": .object(core.configuration),
        ]
    }
}
