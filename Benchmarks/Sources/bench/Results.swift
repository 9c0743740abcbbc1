import Foundation

/// One line of a table: what was measured, on what, and what each run gave.
struct Row {
    var suite: String
    /// What was asked of all servers alike, for example `100 clients, 256 B`.
    var work: String
    var server: String
    var runs: [[String: Double]] = []

    func median(_ key: String) -> Double? {
        let values = runs.compactMap { $0[key] }.sorted()
        guard !values.isEmpty else { return nil }
        let middle = values.count / 2
        return values.count % 2 == 1 ? values[middle] : (values[middle - 1] + values[middle]) / 2
    }

    var json: [String: Any] {
        var medians: [String: Double] = [:]
        for key in Set(runs.flatMap(\.keys)) { medians[key] = median(key) }
        return ["suite": suite, "work": work, "server": server, "median": medians, "runs": runs]
    }
}

/// Everything measured so far, in the order of the tables.
struct Results {
    private(set) var rows: [Row] = []
    private(set) var problems: [String] = []

    mutating func add(_ run: [String: Double], suite: String, work: String, server: String) {
        if let index = rows.firstIndex(where: { $0.suite == suite && $0.work == work && $0.server == server }) {
            rows[index].runs.append(run)
        } else {
            rows.append(Row(suite: suite, work: work, server: server, runs: [run]))
        }
    }

    mutating func add(problem: String) { problems.append(problem) }

    func row(_ suite: String, _ work: String, _ server: String) -> Row? {
        rows.first { $0.suite == suite && $0.work == work && $0.server == server }
    }

    func write(to folder: String, quick: Bool, tables: String) throws {
        let folder = URL(fileURLWithPath: folder)
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        let document: [String: Any] = [
            "quick": quick, "finishedAt": ISO8601DateFormatter().string(from: Date()),
            "machine": machine, "rows": rows.map(\.json), "problems": problems,
        ]
        let data = try JSONSerialization.data(withJSONObject: document, options: [.prettyPrinted, .sortedKeys])
        let stamp = ISO8601DateFormatter().string(from: Date()).replacingOccurrences(of: ":", with: "")
        try data.write(to: folder.appendingPathComponent("\(stamp).json"))
        try data.write(to: folder.appendingPathComponent("latest.json"))
        try Data(tables.utf8).write(to: folder.appendingPathComponent("latest.md"))
    }
}

/// What ratios of one machine can't be taken to another without.
let machine: [String: String] = {
    var machine = ["cores": "\(ProcessInfo.processInfo.activeProcessorCount)"]
    let model = (try? String(contentsOfFile: "/proc/cpuinfo", encoding: .utf8))?
        .split(separator: "\n").first { $0.hasPrefix("model name") }?.split(separator: ":").last
    machine["processor"] = model.map { $0.trimmingCharacters(in: .whitespaces) }
    machine["kernel"] = (try? String(contentsOfFile: "/proc/sys/kernel/osrelease", encoding: .utf8))?
        .trimmingCharacters(in: .whitespacesAndNewlines)
    return machine
}()
