import Foundation

/// What the kernel says about running processes.
package enum ProcessTable {
    /// A process that can't be mistaken for a later one with the same number.
    package struct Entry: Hashable, Sendable {
        package let pid: Int32
        package let parent: Int32
        package let startTime: UInt64
        package let state: Character
    }

    package static func entry(_ pid: Int32) -> Entry? {
        guard let text = try? String(contentsOfFile: "/proc/\(pid)/stat", encoding: .utf8),
            // The program's name may hold spaces and parentheses: what counts begins after the last one.
            let end = text.lastIndex(of: ")")
        else { return nil }
        let fields = text[text.index(after: end)...].split(separator: " ")
        guard fields.count > 19, let parent = Int32(fields[1]), let start = UInt64(fields[19]) else { return nil }
        return Entry(pid: pid, parent: parent, startTime: start, state: fields[0].first ?? "?")
    }

    package static func isRunning(_ entry: Entry) -> Bool {
        guard let now = ProcessTable.entry(entry.pid) else { return false }
        return now.startTime == entry.startTime && now.state != "Z"
    }

    /// Children, their children and so on.
    package static func descendants(of pid: Int32) -> [Entry] {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: "/proc")) ?? []
        let all = names.compactMap { Int32($0) }.compactMap(entry)
        var found: [Entry] = []
        var parents: Set<Int32> = [pid]
        while true {
            let next = all.filter { parents.contains($0.parent) && !found.contains($0) }
            if next.isEmpty { return found }
            found += next
            parents = Set(next.map(\.pid))
        }
    }

    package static func openDescriptors(of pid: Int32) -> Int {
        (try? FileManager.default.contentsOfDirectory(atPath: "/proc/\(pid)/fd").count) ?? 0
    }

    /// Resident memory in bytes.
    package static func residentBytes(of pid: Int32) -> Int {
        guard let text = try? String(contentsOfFile: "/proc/\(pid)/statm", encoding: .utf8),
            let pages = text.split(separator: " ").dropFirst().first.flatMap({ Int($0) })
        else { return 0 }
        return pages * Int(sysconf(Int32(_SC_PAGESIZE)))
    }
}
