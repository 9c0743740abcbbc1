import Base
import EventLog
import HTTP1
import HubProtocol
import JSON
import Providers
import Server
import Sessions

/// The metrics. Labels have few values (providers, statuses, codes): never a session, a client or a model.
extension APIHandler {
    func addMetricsRoutes(to router: inout Router) {
        router.add(.get, "metrics", produces: [MediaTypes.text]) { [self] _ throws(Failure) in
            .text(200, contentType: "text/plain; version=0.0.4; charset=utf-8", metrics)
        }
    }

    /// Prometheus text. No part of it takes longer the more sessions there are on disk.
    package var metrics: [UInt8] {
        var text = MetricsText()
        let vitals = core.vitals
        addCore(vitals, to: &text)
        addTraffic(to: &text)
        addLogs(to: &text)
        addSessions(to: &text)
        addProviders(vitals, to: &text)
        addUsage(to: &text)
        addProcess(vitals.process, to: &text)
        return text.bytes
    }

    private func addCore(_ vitals: CoreVitals, to text: inout MetricsText) {
        text.family("codeai_build_info", "gauge", "The version that runs.")
        text.sample("codeai_build_info", [("version", core.identity.version)], 1)
        text.family("codeai_uptime_seconds", "gauge", "Seconds since the start.")
        text.sample("codeai_uptime_seconds", core.identity.uptime)
        text.gauge(
            "codeai_follows_crash", "1 when the daemon before this one ended without saying so.",
            vitals.followsCrash ? 1 : 0)
        text.histogram(
            "codeai_loop_turn_seconds", "Turns of the loop that does all the work, the waiting left out.",
            [([], vitals.loopTurns)])
        text.counter("codeai_loop_slow_turns_total", "Turns longer than log.slowTurnMs.", vitals.slowTurns)
        text.counter(
            "codeai_log_lines_lost_total", "Lines of core.log and audit.log that could not be written.",
            vitals.lostLogLines)
    }

    private func addTraffic(to text: inout MetricsText) {
        let traffic = core.traffic
        text.gauge("codeai_clients", "Connected stream clients.", hub.clientCount)
        text.gauge("codeai_connections_open", "Open connections.", traffic.connectionsOpen)
        text.counter("codeai_connections_accepted_total", "Accepted connections.", traffic.connectionsAccepted)
        text.counter("codeai_connections_refused_total", "Connections refused by a limit.", traffic.connectionsRefused)
        text.counter(
            "codeai_connections_timed_out_total", "Connections ended by a timeout.", traffic.connectionsTimedOut)
        text.counter("codeai_peers_lost_total", "Peers that vanished without saying so.", traffic.peersLost)
        text.counter("codeai_requests_malformed_total", "Requests that were no HTTP.", traffic.requestsMalformed)
        text.family("codeai_requests_forbidden_total", "counter", "Requests refused by the guard, by reason.")
        for (reason, count) in traffic.forbiddenByReason.sorted(by: { $0.key < $1.key }) {
            text.sample("codeai_requests_forbidden_total", [("reason", reason)], Double(count))
        }
        text.counter("codeai_http_requests_total", "HTTP requests.", traffic.requests)
        text.family("codeai_http_responses_total", "counter", "HTTP responses by the class of their status.")
        for digit in 1...5 {
            text.sample(
                "codeai_http_responses_total", [("class", "\(digit)xx")], Double(traffic.responses[digit]))
        }
        text.counter("codeai_frames_encoded_total", "Frames encoded, each once for all clients.", hub.framesEncoded)
        text.counter(
            "codeai_frames_sent_total", "Frames handed to the kernel, one for each receiver.", traffic.framesSent)
        text.counter("codeai_messages_received_total", "WebSocket messages received.", traffic.messagesReceived)
        text.counter("codeai_bytes_sent_total", "Bytes written to clients.", traffic.bytesSent)
        text.counter("codeai_bytes_received_total", "Bytes read from clients.", traffic.bytesReceived)
        text.gauge("codeai_queue_bytes", "Bytes waiting for clients.", hub.queuedBytes)
        text.counter("codeai_chunks_dropped_total", "Deltas left out for slow clients.", traffic.framesDropped)
        text.counter("codeai_clients_slow_total", "Warnings to clients that read too slowly.", traffic.subscribersSlow)
        text.counter("codeai_clients_evicted_total", "Clients evicted for slowness.", traffic.subscribersEvicted)
    }

    private func addLogs(to text: inout MetricsText) {
        let log = service.store.metrics
        text.counter("codeai_events_appended_total", "Events written to logs.", log.events)
        text.counter("codeai_log_bytes_total", "Bytes written to logs.", log.bytes)
        text.counter("codeai_log_commits_total", "Writes to logs, each of all that one log had.", log.commits)
        text.counter("codeai_log_syncs_total", "Syncs of logs to the disk (power mode).", log.syncs)
        text.counter("codeai_log_failures_total", "Failed log writes.", log.failures)
        text.counter("codeai_log_refused_total", "Events refused while a log could not be written.", log.refused)
        text.counter("codeai_log_recoveries_total", "Damages found in logs.", log.recoveries)
        text.histogram(
            "codeai_append_seconds", "From an event's append to its line being in the file.", [([], log.appendLatency)])
        text.histogram(
            "codeai_publish_seconds", "From an event's append to its having been handed to all clients.",
            [([], log.publishLatency)])
    }

    private func addSessions(to text: inout MetricsText) {
        let counts = service.statusCounts
        text.family("codeai_sessions", "gauge", "Sessions by status.")
        for status in SessionState.Status.allCases {
            text.sample("codeai_sessions", [("status", status.rawValue)], Double(counts[status] ?? 0))
        }
        text.gauge("codeai_sessions_loaded", "Sessions in memory.", service.loaded.count)
        text.gauge("codeai_messages_queued", "Messages that wait for their turn.", service.queuedCount)
        let pending = service.pendingCounts
        text.family("codeai_requests_pending", "gauge", "What waits for a person's answer.")
        text.sample("codeai_requests_pending", [("kind", "permission")], Double(pending.permissions))
        text.sample("codeai_requests_pending", [("kind", "question")], Double(pending.questions))
        let activity = service.activity
        text.family("codeai_turns_total", "counter", "Ended turns by outcome.")
        for (key, count) in activity.turns.sorted(by: { $0.key < $1.key }) {
            text.sample("codeai_turns_total", [("provider", key.providerId), ("status", key.name)], Double(count))
        }
        text.histogram(
            "codeai_turn_seconds", "How long turns took, waiting for permissions included.",
            activity.turnDurations.sorted { $0.key < $1.key }.map { ([("provider", $0.key)], $0.value) })
    }

    private func addProviders(_ vitals: CoreVitals, to text: inout MetricsText) {
        let activity = service.activity
        let ids = providers.records.compactMap { $0["id"]?.stringValue }
        text.family("codeai_provider_health", "gauge", "1 for the state that a provider is in.")
        for id in ids {
            let current = service.health.state(of: id)
            for state in ProviderHealth.State.allCases {
                text.sample(
                    "codeai_provider_health", [("provider", id), ("state", state.rawValue)], state == current ? 1 : 0)
            }
        }
        text.family("codeai_quota_hits_total", "counter", "Turns that ended on a used-up quota or a rate limit.")
        for id in ids {
            let hits = ["quota_exhausted", "rate_limited"].reduce(0) {
                $0 + (activity.errors[.init(providerId: id, name: $1)] ?? 0)
            }
            text.sample("codeai_quota_hits_total", [("provider", id)], Double(hits))
        }
        text.family("codeai_errors_total", "counter", "Errors of turns by code.")
        for (key, count) in activity.errors.sorted(by: { $0.key < $1.key }) {
            text.sample("codeai_errors_total", [("provider", key.providerId), ("code", key.name)], Double(count))
        }
        text.family("codeai_provider_starts_total", "counter", "Processes of providers started.")
        for (id, count) in activity.processStarts.sorted(by: { $0.key < $1.key }) {
            text.sample("codeai_provider_starts_total", [("provider", id)], Double(count))
        }
        text.family(
            "codeai_provider_exits_total", "counter",
            "Processes of providers ended: requested, exited by themselves, or signaled.")
        for (key, count) in activity.processEnds.sorted(by: { $0.key < $1.key }) {
            text.sample(
                "codeai_provider_exits_total", [("provider", key.providerId), ("reason", key.name)], Double(count))
        }
        let children = Dictionary(grouping: core.children, by: \.providerId).sorted { $0.key < $1.key }
        text.family("codeai_provider_processes", "gauge", "Processes of providers, with all they started.")
        for (id, group) in children {
            text.sample(
                "codeai_provider_processes", [("provider", id)], Double(group.reduce(0) { $0 + $1.processes }))
        }
        text.family("codeai_provider_resident_memory_bytes", "gauge", "Resident memory of providers' processes.")
        for (id, group) in children {
            let bytes = group.reduce(0) { $0 + $1.residentMemory }
            text.sample("codeai_provider_resident_memory_bytes", [("provider", id)], Double(bytes))
        }
        text.family("codeai_installations_total", "counter", "Installations of providers by outcome.")
        for (key, count) in vitals.installations.sorted(by: { $0.key < $1.key }) {
            text.sample(
                "codeai_installations_total", [("provider", key.providerId), ("outcome", key.outcome)], Double(count))
        }
    }

    /// Over all sessions there ever were: deleted ones don't make a counter fall.
    private func addUsage(to text: inout MetricsText) {
        let rows = service.usedByProvider.sorted { $0.key < $1.key }
        text.family("codeai_tokens_total", "counter", "Tokens by provider; cached ones are a part of input.")
        for (provider, sum) in rows {
            for (direction, count) in [("input", sum.input), ("cached", sum.cached), ("output", sum.output)] {
                text.sample("codeai_tokens_total", [("provider", provider), ("direction", direction)], Double(count))
            }
        }
        text.family(
            "codeai_cost_usd_total", "counter",
            "Cost by provider, as it reported it or as estimated from list prices.")
        for (provider, sum) in rows {
            for (basis, money) in [("reported", sum.reported), ("estimated", sum.estimated)] {
                text.sample("codeai_cost_usd_total", [("provider", provider), ("basis", basis)], money.usd)
            }
        }
        text.family("codeai_turns_unpriced_total", "counter", "Turns whose tokens nobody knows the price of.")
        for (provider, sum) in rows {
            text.sample("codeai_turns_unpriced_total", [("provider", provider)], Double(sum.unpricedTurns))
        }
        text.family("codeai_day_cost_usd", "gauge", "Cost of the current day (UTC) over all providers.")
        text.sample("codeai_day_cost_usd", service.spentToday.usd)
        text.family("codeai_day_budget_usd", "gauge", "What a day may cost (budget.perDayUsd); 0 without a limit.")
        text.sample("codeai_day_budget_usd", service.spending.budget.perDay?.usd ?? 0)
    }

    /// The names that every Prometheus client library uses for these.
    private func addProcess(_ process: CoreVitals.ProcessVitals, to text: inout MetricsText) {
        func add(_ name: String, _ type: String, _ help: String, _ value: Double?) {
            text.family(name, type, help)
            if let value { text.sample(name, value) }
        }
        add("process_cpu_seconds_total", "counter", "User and system CPU time in seconds.", process.cpuSeconds)
        add("process_open_fds", "gauge", "Open file descriptors.", process.openFiles.map(Double.init))
        add("process_max_fds", "gauge", "File descriptors that may be open.", process.maxFiles.map(Double.init))
        add("process_virtual_memory_bytes", "gauge", "Virtual memory.", process.virtualBytes.map(Double.init))
        add("process_resident_memory_bytes", "gauge", "Resident memory.", process.residentBytes.map(Double.init))
        add("process_start_time_seconds", "gauge", "Start of the process since 1970.", process.startSeconds)
        add("process_threads", "gauge", "Threads.", process.threads.map(Double.init))
    }
}
