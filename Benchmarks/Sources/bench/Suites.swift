import Foundation

/// A group of measurements that make one table.
struct Suite: Sendable {
    let name: String
    let title: String
    let columns: [Column]
    let run: @Sendable (Bench) throws -> Void
}

/// A program that serves, and how it is told what to do beyond what all are told.
struct Contender: Sendable {
    let name: String
    let program: String
    var arguments: [String] = []
    /// The daemon itself, which has a home and finds its own port.
    var isDaemon = false
}

let deliveryColumns = [
    Column("million/s", "deliveriesPerSecond", scale: 1e-6, digits: 3),
    Column("CPU s/million", "cpuPerMillion", digits: 3),
    Column("frame B", "frameBytes"),
    Column("compressed", "compressedShare", digits: 2),
    Column("GB/s", "bytesPerSecond", scale: 1e-9, digits: 2),
    Column("server CPU", "serverCpu", digits: 2),
    Column("load CPU", "loadCpu", digits: 2),
    Column("other CPU", "otherCpu", digits: 2),
    Column("RSS MB", "rss", scale: 1e-6, digits: 1),
]

let latencyColumns = [
    Column("p50 us", "p50Us"), Column("p99 us", "p99Us"), Column("max us", "maxUs"),
    Column("deliveries/s", "deliveriesPerSecond"), Column("server CPU", "serverCpu", digits: 3),
    Column("other CPU", "otherCpu", digits: 2),
]

let allSuites: [Suite] = [
    Suite(
        name: "http", title: "HTTP GET /health, 64 connections",
        columns: [
            Column("thousand/s", "requestsPerSecond", scale: 1e-3, digits: 1), Column("p50 us", "p50Us"),
            Column("p99 us", "p99Us"), Column("CPU s/million", "cpuPerMillion", digits: 2),
            Column("server CPU", "serverCpu", digits: 2), Column("load CPU", "loadCpu", digits: 2),
            Column("other CPU", "otherCpu", digits: 2),
        ], run: { try $0.http() }),
    Suite(name: "broadcast", title: "Saturated broadcast", columns: deliveryColumns) {
        try $0.broadcast(deflate: false)
    },
    Suite(name: "deflate", title: "Saturated broadcast, deflated", columns: deliveryColumns) {
        try $0.broadcast(deflate: true)
    },
    Suite(name: "paced", title: "Latency from publishing to receipt", columns: latencyColumns) { try $0.paced() },
    Suite(
        name: "pipe", title: "From an agent's pipe to a client's socket",
        columns: [
            Column("p50 us", "p50Us"), Column("p99 us", "p99Us"), Column("max us", "maxUs"),
            Column("deltas/s", "deltasPerSecond"), Column("frames/s", "framesPerSecond"),
            Column("CPU us/delta", "cpuUsPerDelta", digits: 1), Column("server CPU", "serverCpu", digits: 2),
            Column("machine CPU", "machineCpu", digits: 2), Column("RSS MB", "rss", scale: 1e-6, digits: 1),
            Column("left out", "slow"), Column("told", "told"),
        ], run: { try $0.pipe() }),
    Suite(
        name: "idle", title: "Idle streams",
        columns: [
            Column("B/connection", "bytesPerConnection"), Column("RSS before MB", "rssBefore", scale: 1e-6, digits: 1),
            Column("RSS after MB", "rssAfter", scale: 1e-6, digits: 1),
        ], run: { try $0.idle() }),
    Suite(
        name: "cycles", title: "Connect, upgrade, close",
        columns: [
            Column("cycles/s", "cyclesPerSecond"), Column("fds before", "fdsBefore"), Column("after", "fdsAfter"),
            Column("RSS before KB", "rssBefore", scale: 1e-3), Column("after KB", "rssAfter", scale: 1e-3),
            Column("children before", "childrenBefore"), Column("children after", "childrenAfter"),
        ], run: { try $0.cycles() }),
    Suite(
        name: "start", title: "Cold start to the first answer of /health",
        columns: [
            Column("start ms", "startMs", digits: 1), Column("CPU ms", "cpuMs", digits: 1),
            Column("RSS MB", "rss", scale: 1e-6, digits: 1),
            Column("RSS later MB", "rssSettled", scale: 1e-6, digits: 1),
        ], run: { try $0.start() }),
    Suite(
        name: "restart", title: "Restarts under load",
        columns: [
            Column("restarts", "restarts"), Column("requests/s", "requestsPerSecond"),
            Column("p50 ms", "requestP50Ms", digits: 2), Column("p99 ms", "requestP99Ms", digits: 1),
            Column("worst ms", "requestMaxMs", digits: 1), Column("deliveries", "deliveries"),
            Column("gap p50 ms", "gapP50Ms", digits: 1), Column("gap p99 ms", "gapP99Ms", digits: 1),
            Column("gap worst ms", "gapMaxMs", digits: 1), Column("tried in ms", "triedP50Ms", digits: 1),
            Column("load CPU", "loadCpu", digits: 2), Column("RSS MB", "rss", scale: 1e-6, digits: 1),
        ], run: { try $0.restart() }),
    Suite(
        name: "home", title: "A home of many sessions",
        columns: [
            Column("median ms", "ms", digits: 2), Column("worst ms", "worstMs", digits: 1),
            Column("KB", "bytes", scale: 1e-3),
            Column("seconds", "seconds", digits: 1), Column("MB/s of logs", "megabytesPerSecond", digits: 1),
            Column("index MB", "indexBytes", scale: 1e-6, digits: 1), Column("of the logs", "share", digits: 3),
            Column("RSS MB", "rss", scale: 1e-6, digits: 1),
        ], run: { try $0.home() }),
    Suite(
        name: "log", title: "Log append",
        columns: [
            Column("thousand events/s", "eventsPerSecond", scale: 1e-3, digits: 1),
            Column("MB/s", "bytesPerSecond", scale: 1e-6, digits: 1),
            Column("us/event CPU", "cpuUsPerEvent", digits: 2),
            Column("commits/s", "commitsPerSecond"),
        ], run: { try $0.log() }),
    Suite(
        name: "decode", title: "Decoding",
        columns: [
            Column("MB/s", "megabytesPerSecond", digits: 1),
            Column("thousand lines/s", "linesPerSecond", scale: 1e-3, digits: 1),
        ],
        run: { try $0.decode() }),
]
