import Base
import EventLog
import HTTP1
import HubProtocol
import JSON
import Providers
import Server
import Sessions

/// The daemon itself over HTTP: health, status, metrics, settings, shutdown, providers.
extension APIHandler {
    func addCoreRoutes(to router: inout Router) {
        router.add(.get, "health") { [self] _ throws(Failure) in .json(200, .object(health)) }
        router.add(.get, "status") { [self] _ throws(Failure) in .json(200, .object(status)) }
        router.add(.get, "metrics") { [self] _ throws(Failure) in
            .text(200, contentType: "text/plain; version=0.0.4; charset=utf-8", metrics)
        }
        router.add(.get, "settings") { [self] _ throws(Failure) in .json(200, .object(core.settings)) }
        router.add(.post, "core/shutdown") { [self] request throws(Failure) in
            let grace = try request.fields().int("graceMs", in: 0...600_000)
            core.shutDown(graceMs: grace, by: request.client.name)
            return .json(202, ["stopping": true])
        }
    }

    var health: JSONObject {
        [
            "status": "ok", "version": JSON(core.identity.version), "uptime": JSON(core.identity.uptime),
            "clients": JSON(hub.clientCount), "activeSessions": JSON(service.activeCount),
        ]
    }

    private var status: JSONObject {
        var information = core.identity.json
        information["uptime"] = JSON(core.identity.uptime)
        information["clients"] = JSON(hub.clientCount)
        information["memory"] = ["rss": JSON(core.residentMemory)]
        information["children"] = .array(core.children.map(\.json))
        let recoveries = service.store.recoveries.map { JSON.object($0.json) }
        return [
            "core": .object(information), "sessions": .array(service.states.map { .object(service.record(of: $0)) }),
            "providers": .array(providers.records), "providerProblems": .array(providers.problems),
            "recoveries": .array(recoveries),
        ]
    }

    private var metrics: [UInt8] {
        var text = MetricsText()
        let traffic = core.traffic
        let log = service.store.metrics
        text.family("codeai_build_info", "gauge", "The version that runs.")
        text.sample("codeai_build_info", [("version", core.identity.version)], 1)
        text.family("codeai_uptime_seconds", "gauge", "Seconds since the start.")
        text.sample("codeai_uptime_seconds", core.identity.uptime)
        text.gauge("codeai_resident_memory_bytes", "Resident memory of the daemon.", core.residentMemory)
        text.gauge("codeai_clients", "Connected stream clients.", hub.clientCount)
        text.gauge("codeai_connections_open", "Open connections.", traffic.connectionsOpen)
        text.counter("codeai_connections_accepted_total", "Accepted connections.", traffic.connectionsAccepted)
        text.counter("codeai_connections_refused_total", "Connections refused by a limit.", traffic.connectionsRefused)
        text.counter(
            "codeai_connections_timed_out_total", "Connections ended by a timeout.", traffic.connectionsTimedOut)
        text.counter("codeai_peers_lost_total", "Peers that vanished without saying so.", traffic.peersLost)
        text.counter("codeai_requests_malformed_total", "Requests that were no HTTP.", traffic.requestsMalformed)
        text.counter("codeai_requests_forbidden_total", "Requests refused by the guard.", traffic.requestsForbidden)
        text.counter("codeai_http_requests_total", "HTTP requests.", traffic.requests)
        text.counter("codeai_frames_encoded_total", "Frames encoded, each once for all clients.", hub.framesEncoded)
        text.counter(
            "codeai_frames_sent_total", "Frames handed to the kernel, one for each receiver.", traffic.framesSent)
        text.counter("codeai_messages_received_total", "WebSocket messages received.", traffic.messagesReceived)
        text.counter("codeai_bytes_sent_total", "Bytes written to clients.", traffic.bytesSent)
        text.counter("codeai_bytes_received_total", "Bytes read from clients.", traffic.bytesReceived)
        text.gauge("codeai_queue_bytes", "Bytes waiting for clients.", hub.queuedBytes)
        text.counter("codeai_chunks_dropped_total", "Deltas left out for slow clients.", traffic.framesDropped)
        text.counter("codeai_clients_evicted_total", "Clients evicted for slowness.", traffic.subscribersEvicted)
        text.counter("codeai_events_appended_total", "Events written to logs.", log.events)
        text.counter("codeai_log_bytes_total", "Bytes written to logs.", log.bytes)
        text.counter("codeai_log_failures_total", "Failed log writes.", log.failures)
        text.counter("codeai_log_recoveries_total", "Damages found in logs.", log.recoveries)
        text.family("codeai_append_seconds", "histogram", "From append to being in the file.")
        var cumulative = 0
        for (bound, count) in zip(LatencyHistogram.bounds, log.commitLatency.counts) {
            cumulative += count
            text.sample("codeai_append_seconds_bucket", [("le", "\(bound)")], Double(cumulative))
        }
        text.sample("codeai_append_seconds_bucket", [("le", "+Inf")], Double(log.commitLatency.count))
        text.sample("codeai_append_seconds_sum", Double(log.commitLatency.sumNanoseconds) / 1e9)
        text.sample("codeai_append_seconds_count", Double(log.commitLatency.count))
        addSessionMetrics(to: &text)
        return text.bytes
    }

    private func addSessionMetrics(to text: inout MetricsText) {
        var byStatus: [String: Int] = [:]
        for state in service.allStates { byStatus[state.status.rawValue, default: 0] += 1 }
        text.family("codeai_sessions", "gauge", "Sessions by status.")
        for status in SessionState.Status.allCases {
            text.sample("codeai_sessions", [("status", status.rawValue)], Double(byStatus[status.rawValue] ?? 0))
        }
        text.family("codeai_turns_total", "counter", "Finished turns by outcome.")
        for (status, count) in service.turnsCompleted.sorted(by: { $0.key.rawValue < $1.key.rawValue }) {
            text.sample("codeai_turns_total", [("status", status.rawValue)], Double(count))
        }
        let children = core.children
        text.gauge("codeai_provider_processes", "Processes of providers.", children.reduce(0) { $0 + $1.processes })
        text.family("codeai_provider_resident_memory_bytes", "gauge", "Resident memory of providers' processes.")
        for (provider, group) in Dictionary(grouping: children, by: \.providerId).sorted(by: { $0.key < $1.key }) {
            let bytes = group.reduce(0) { $0 + $1.residentMemory }
            text.sample("codeai_provider_resident_memory_bytes", [("provider", provider)], Double(bytes))
        }
        addUsageMetrics(to: &text)
    }
}
