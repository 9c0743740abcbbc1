import Base
import CLinux
import Glibc

/// A process that cannot be mistaken for a later one with the same pid.
package struct ProcessIdentity: Hashable, Sendable {
    package let pid: Int32
    /// Clock ticks since boot.
    package let startTime: UInt64

    /// Sends a signal; false when the process is no longer there.
    @discardableResult
    package func signal(_ number: Int32) -> Bool {
        let pidfd = clinux_pidfd_open(pid)
        guard pidfd >= 0 else { return false }
        defer { close(pidfd) }
        // Once the descriptor is open the pid cannot be given to another behind it.
        guard ProcessTable.entry(pid)?.identity == self else { return false }
        return clinux_pidfd_signal(pidfd, number) == 0
    }

    /// Whether it is still running; a zombie is not.
    package var isRunning: Bool {
        guard let entry = ProcessTable.entry(pid) else { return false }
        return entry.identity == self && !entry.isZombie
    }
}

/// The processes of this machine as the kernel shows them in /proc at one moment.
package struct ProcessTable {
    package struct Entry: Sendable {
        package let identity: ProcessIdentity
        package let parent: Int32
        package let group: Int32
        package let session: Int32
        package let isZombie: Bool
        package let residentBytes: Int
        package var pid: Int32 { identity.pid }
    }

    private var entries: [Int32: Entry] = [:]

    /// Reads all of /proc; about 10 us per process.
    package static func snapshot() -> ProcessTable {
        var table = ProcessTable()
        forEachNumber(in: "/proc") { pid in
            if let entry = entry(pid) { table.entries[pid] = entry }
        }
        return table
    }

    package subscript(pid: Int32) -> Entry? { entries[pid] }

    /// Children, their children and so on; without `pid` itself and without zombies.
    package func descendants(of pid: Int32) -> [ProcessIdentity] {
        var children: [Int32: [Entry]] = [:]
        for entry in entries.values { children[entry.parent, default: []].append(entry) }
        var found: [ProcessIdentity] = []
        var open = [pid]
        var seen: Set<Int32> = [pid]
        while let next = open.popLast() {
            for entry in children[next] ?? [] where seen.insert(entry.pid).inserted {
                open.append(entry.pid)
                if !entry.isZombie { found.append(entry.identity) }
            }
        }
        return found
    }

    /// Memory held in RAM by a process and its descendants, in bytes; shared pages count for each.
    package func residentBytes(ofTree pid: Int32) -> Int {
        var sum = entries[pid]?.residentBytes ?? 0
        for process in descendants(of: pid) { sum += entries[process.pid]?.residentBytes ?? 0 }
        return sum
    }

    /// Running processes of this user whose environment, as it was when they were started, has `name=value`.
    /// Without this process and its ancestors, who may have been started under the same marker.
    package func processes(marked name: String, _ value: String) -> [ProcessIdentity] {
        var exempt: Set<Int32> = []
        var pid = getpid()
        while pid > 0, exempt.insert(pid).inserted { pid = entries[pid]?.parent ?? 0 }
        let wanted = Array("\(name)=\(value)".utf8)
        return entries.values.filter { entry in
            !entry.isZombie && !exempt.contains(entry.pid) && ProcessTable.isOwn(entry.pid)
                && ProcessTable.environment(of: entry.pid, has: wanted)
        }.map(\.identity)
    }

    /// Running processes of this user whose program lies in a folder, or that were started with that folder in the
    /// variable `name`, as those of interpreters are whose program lies elsewhere.
    package func processes(from folder: String, marked name: String) -> [ProcessIdentity] {
        let wanted = Array("\(name)=\(folder)".utf8)
        return entries.values.filter { entry in
            !entry.isZombie && ProcessTable.isOwn(entry.pid)
                && (ProcessTable.program(of: entry.pid)?.hasPrefix(folder + "/") == true
                    || ProcessTable.environment(of: entry.pid, has: wanted))
        }.map(\.identity)
    }

    /// What a child with this group and marker has left: its group, and orphans that this process has adopted.
    func leftovers(group: Int32, marker: String) -> [ProcessIdentity] {
        let own = getpid()
        let wanted = Array("\(ChildProcess.markerVariable)=\(marker)".utf8)
        var found: Set<ProcessIdentity> = []
        for entry in entries.values where !entry.isZombie {
            let isAdopted = entry.parent == own && !KnownChildren.contains(entry.pid)
            // A group of that number with another leader began after ours had ended: the number was given out again.
            let isOfGroup = entry.group == group && entries[group].map { $0.isZombie } ?? true
            guard isOfGroup || (isAdopted && ProcessTable.environment(of: entry.pid, has: wanted)) else { continue }
            found.insert(entry.identity)
            found.formUnion(descendants(of: entry.pid))
        }
        return Array(found)
    }

    /// Children of this process that no `ChildProcess` stands for, with their descendants.
    package func adopted() -> [ProcessIdentity] {
        let known = KnownChildren.pids
        let own = getpid()
        var found: Set<ProcessIdentity> = []
        for entry in entries.values where entry.parent == own && !known.contains(entry.pid) {
            if !entry.isZombie { found.insert(entry.identity) }
            found.formUnion(descendants(of: entry.pid))
        }
        return Array(found)
    }

    // MARK: /proc

    static func entry(_ pid: Int32) -> Entry? {
        withUnsafeTemporaryAllocation(byteCount: 1024, alignment: 8) { buffer -> Entry? in
            let fd = open("/proc/\(pid)/stat", O_RDONLY | O_CLOEXEC)
            guard fd >= 0 else { return nil }
            let count = read(fd, buffer.baseAddress, buffer.count)
            close(fd)
            guard count > 0 else { return nil }
            return parse(UnsafeRawBufferPointer(rebasing: buffer[..<count]), pid)
        }
    }

    /// `pid (name) state ppid pgrp session ...`, proc(5). The name may hold anything, so from the last parenthesis on.
    private static func parse(_ bytes: UnsafeRawBufferPointer, _ pid: Int32) -> Entry? {
        var index = bytes.count - 1
        while index >= 0, bytes[index] != UInt8(ascii: ")") { index -= 1 }
        guard index >= 0, index + 2 < bytes.count else { return nil }
        let state = bytes[index + 2]
        index += 3
        // Fields 4 to 24: ppid, pgrp, session, ... starttime (22), vsize, rss (24).
        var fields = (parent: 0, group: 0, session: 0, start: 0, resident: 0)
        for field in 4...24 {
            var value = 0
            var isNegative = false
            index += 1
            while index < bytes.count, bytes[index] != UInt8(ascii: " ") {
                let byte = bytes[index]
                if byte == UInt8(ascii: "-") { isNegative = true }
                if byte >= 0x30, byte <= 0x39 { value = value &* 10 &+ Int(byte - 0x30) }
                index += 1
            }
            guard index < bytes.count else { return nil }
            if isNegative { value = 0 &- value }
            switch field {
            case 4: fields.parent = value
            case 5: fields.group = value
            case 6: fields.session = value
            case 22: fields.start = value
            case 24: fields.resident = value
            default: break
            }
        }
        return Entry(
            identity: ProcessIdentity(pid: pid, startTime: UInt64(clamping: fields.start)),
            parent: Int32(truncatingIfNeeded: fields.parent), group: Int32(truncatingIfNeeded: fields.group),
            session: Int32(truncatingIfNeeded: fields.session),
            isZombie: state == UInt8(ascii: "Z") || state == UInt8(ascii: "X"),
            residentBytes: max(0, fields.resident) &* Int(getpagesize()))
    }

    /// Whether a child with this group may have left something. Cheap: most leave nothing, and then the whole of
    /// /proc need not be read.
    static func mayHaveLeftovers(group: Int32) -> Bool {
        if kill(-group, 0) == 0 || errno != ESRCH { return true }
        let known = KnownChildren.pids
        guard let children = ownChildren() else { return true }
        return children.contains { !known.contains($0) }
    }

    /// The pids of this process's children; nil when the kernel does not list them (CONFIG_PROC_CHILDREN).
    private static func ownChildren() -> [Int32]? {
        var children: [Int32] = []
        var isListed = true
        forEachNumber(in: "/proc/self/task") { thread in
            guard let bytes = readFile("/proc/self/task/\(thread)/children", limit: 1 << 20) else {
                isListed = false
                return
            }
            for number in bytes.split(separator: UInt8(ascii: " ")) {
                if let pid = Int32(String(decoding: number, as: UTF8.self)) { children.append(pid) }
            }
        }
        return isListed ? children : nil
    }

    private static func forEachNumber(in path: String, _ body: (Int32) -> Void) {
        for name in folderEntries(path) ?? [] {
            if let number = Int32(name) { body(number) }
        }
    }

    private static func isOwn(_ pid: Int32) -> Bool {
        var status = stat()
        return stat("/proc/\(pid)", &status) == 0 && status.st_uid == geteuid()
    }

    /// The path of the program that a process runs.
    private static func program(of pid: Int32) -> String? {
        withUnsafeTemporaryAllocation(of: CChar.self, capacity: 4096) { buffer -> String? in
            let count = readlink("/proc/\(pid)/exe", buffer.baseAddress!, buffer.count)
            guard count > 0 else { return nil }
            return String(
                decoding: UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(buffer)[..<count]), as: UTF8.self)
        }
    }

    private static func environment(of pid: Int32, has wanted: [UInt8]) -> Bool {
        guard let bytes = readFile("/proc/\(pid)/environ", limit: 4 << 20) else { return false }
        return bytes.split(separator: 0).contains { $0.elementsEqual(wanted) }
    }

    private static func readFile(_ path: String, limit: Int) -> [UInt8]? {
        let fd = open(path, O_RDONLY | O_CLOEXEC)
        guard fd >= 0 else { return nil }
        defer { close(fd) }
        var bytes: [UInt8] = []
        while bytes.count < limit {
            let room = 4096
            let start = bytes.count
            bytes.append(contentsOf: repeatElement(0, count: room))
            let count = bytes.withUnsafeMutableBytes { read(fd, $0.baseAddress! + start, room) }
            bytes.removeLast(room - max(0, count))
            if count < 0 { return nil }
            if count == 0 { break }
        }
        return bytes
    }
}
