import Foundation

/// What one of ours is held against, as a ratio within one run.
private struct Target: Sendable {
    let title: String
    let suite: String
    let work: String
    let key: String
    let ours: String
    let theirs: String
    let isAtLeast: Bool
    let ratio: Double
}

private let targets: [Target] = {
    func broadcast(_ work: String, _ ours: String, _ theirs: String, _ ratio: Double, suite: String = "broadcast")
        -> Target
    {
        Target(
            title: suite == "deflate" ? "deflated deliveries/s" : "deliveries/s", suite: suite, work: work,
            key: "deliveriesPerSecond", ours: ours, theirs: theirs, isAtLeast: true, ratio: ratio)
    }
    var targets: [Target] = []
    for clients in [100, 1000] {
        for size in [256, 2048] {
            targets.append(broadcast("\(clients) clients, \(size) B", "daemon", "reference, 4 a turn", 4))
        }
    }
    for clients in [100, 1000, 5000] {
        for size in [256, 2048] {
            targets.append(broadcast("\(clients) clients, \(size) B", "hub", "floor, batched", 0.8))
        }
    }
    for clients in [100, 1000] {
        for size in [256, 2048] {
            targets.append(broadcast("\(clients) clients, \(size) B", "hub", "reference, client", 10, suite: "deflate"))
            targets.append(broadcast("\(clients) clients, \(size) B", "hub", "reference, shared", 2, suite: "deflate"))
        }
    }
    for work in ["100 clients, 100 messages/s", "1000 clients, 20 messages/s"] {
        for (key, title, ratio) in [("p50Us", "p50", 1.15), ("p99Us", "p99", 1.5)] {
            targets.append(
                Target(
                    title: "latency \(title)", suite: "paced", work: work, key: key, ours: "daemon",
                    theirs: "reference",
                    isAtLeast: false, ratio: ratio))
        }
    }
    for (pipeline, ratio) in [(1, 0.9), (16, 0.7)] {
        targets.append(
            Target(
                title: "requests/s", suite: "http", work: "pipeline of \(pipeline)", key: "requestsPerSecond",
                ours: "daemon", theirs: "reference", isAtLeast: true, ratio: ratio))
    }
    return targets
}()

/// A figure that stands for itself.
private let limits:
    [(
        title: String, suite: String, work: String, server: String, key: String, most: Double, unit: Double,
        name: String
    )] = [
        ("idle stream", "idle", "10000 streams", "daemon", "bytesPerConnection", 2048, 1, "B"),
        ("cold start", "start", "10 sessions of 100 KB, with its index", "daemon", "startMs", 50, 1, "ms"),
        ("cold start", "start", "10000 sessions of 500 KB, with its index", "daemon", "startMs", 300, 1, "ms"),
        ("RSS", "start", "10 sessions loaded, two clients", "daemon", "rssSettled", 60e6, 1e-6, "MB"),
        ("pipe p99", "pipe", "claude, 10 sessions, 100 deltas/s each", "daemon", "p99Us", 2000, 1, "us"),
        ("pipe p99", "pipe", "acp, 10 sessions, 100 deltas/s each", "daemon", "p99Us", 2000, 1, "us"),
        ("pipe p99", "pipe", "codex, 10 sessions, 100 deltas/s each", "daemon", "p99Us", 2000, 1, "us"),
        ("pipe p99", "pipe", "claude, 10 sessions, 1000 deltas/s each", "daemon", "p99Us", 2000, 1, "us"),
        ("pipe p99", "pipe", "acp, 10 sessions, 1000 deltas/s each", "daemon", "p99Us", 2000, 1, "us"),
        ("pipe p99", "pipe", "codex, 10 sessions, 1000 deltas/s each", "daemon", "p99Us", 2000, 1, "us"),
        ("crash told", "pipe", "claude, killed 20 times, 5 clients", "daemon", "maxUs", 100_000, 1e-3, "ms"),
        ("crash told", "pipe", "acp, killed 20 times, 5 clients", "daemon", "maxUs", 100_000, 1e-3, "ms"),
        ("crash told", "pipe", "codex, killed 20 times, 5 clients", "daemon", "maxUs", 100_000, 1e-3, "ms"),
        ("restart gap", "restart", "64 streams, 8 sessions, 1000 requests/s", "daemon", "gapMaxMs", 300, 1, "ms"),
        ("idle RSS", "start", "10 sessions of 100 KB, with its index", "daemon", "rssSettled", 25e6, 1e-6, "MB"),
    ]

func comparison(_ results: Results) -> String {
    var lines: [[String]] = []
    for target in targets {
        guard let ours = results.row(target.suite, target.work, target.ours)?.median(target.key),
            let theirs = results.row(target.suite, target.work, target.theirs)?.median(target.key), theirs > 0
        else { continue }
        let ratio = ours / theirs
        lines.append([
            target.title, target.work, "\(target.ours) / \(target.theirs)", String(format: "%.2f", ratio),
            (target.isAtLeast ? ">= " : "<= ") + String(format: "%.2f", target.ratio),
            (target.isAtLeast ? ratio >= target.ratio : ratio <= target.ratio) ? "met" : "missed",
        ])
    }
    for limit in limits {
        guard let value = results.row(limit.suite, limit.work, limit.server)?.median(limit.key) else { continue }
        lines.append([
            limit.title, limit.work, limit.server, String(format: "%.1f \(limit.name)", value * limit.unit),
            String(format: "<= %.0f \(limit.name)", limit.most * limit.unit), value <= limit.most ? "met" : "missed",
        ])
    }
    if lines.isEmpty { return "" }
    return "### Against the targets\n\n"
        + table(["what", "work", "compared", "ours", "target", ""], lines) + "\n"
}
