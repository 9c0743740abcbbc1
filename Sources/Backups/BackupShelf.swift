package import Base
import CLinux
import Glibc
package import JSON

/// What lies in a home's `backups`: deleted sessions, whole backups, what restores and migrations have put aside.
package struct BackupShelf {
    package let home: String

    package init(home: String) { self.home = home }

    package struct Item: Sendable {
        /// `deleted`, `backup`, `restore`, or what stands before the first dash of its name.
        package var kind: String
        package var name: String
        package var path: String
        /// `20261121T100000.123Z`.
        package var time: String
        package var bytes: Int
        /// Of a deleted session.
        package var sessionId: String?
        package var title: String?

        package var json: JSON {
            var object: JSONObject = [
                "kind": JSON(kind), "name": JSON(name), "path": JSON(path), "time": JSON(time), "bytes": JSON(bytes),
            ]
            object["sessionId"] = sessionId.map { JSON($0) }
            object["title"] = title.map { JSON($0) }
            return .object(object)
        }
    }

    private let timeLength = "20261121T100000.123Z".utf8.count
    private var folder: String { home + "/backups" }

    /// The newest first.
    package var items: [Item] {
        (folderEntries(folder) ?? []).filter { !$0.hasSuffix(".part") }.compactMap(item).sorted {
            ($0.time, $0.name) > ($1.time, $1.name)
        }
    }

    private func item(_ name: String) -> Item? {
        let path = folder + "/" + name
        let parts = name.split(separator: "-", maxSplits: 2)
        guard parts.count > 1 else { return nil }
        let time = String(parts[1].prefix(timeLength))
        var item = Item(kind: String(parts[0]), name: name, path: path, time: time, bytes: size(of: path))
        if item.kind == "deleted", parts.count == 3 {
            item.sessionId = String(parts[2])
            item.title = title(of: "\(path)/\(parts[2]).jsonl")
        }
        return item
    }

    /// The newest backup of a deleted session, by its id or a beginning that no other has.
    /// - Returns: nil when there is none; several when the beginning is not enough.
    package func deletedSessions(_ id: String) -> [Item] {
        var seen: Set<String> = []
        return items.filter { item in
            guard item.kind == "deleted", let session = item.sessionId, session.hasPrefix(id) else { return false }
            return seen.insert(session).inserted
        }
    }

    /// Where a whole backup goes when nobody says.
    package func placeForBackup(now: Timestamp = .now) -> String {
        folder + "/backup-" + now.description.filter { $0 != ":" && $0 != "-" } + ".tar.bz2"
    }

    /// Keeps the newest whole backups that lie here, and the newest of what restores have put aside.
    package func prune(keep: Int) {
        for kind in ["backup", "restore"] {
            for item in items.filter({ $0.kind == kind }).dropFirst(max(1, keep)) { removeTree(item.path) }
        }
    }

    private func size(of path: String) -> Int {
        var information = stat()
        guard lstat(path, &information) == 0 else { return 0 }
        guard information.st_mode & S_IFMT == S_IFDIR else { return Int(information.st_size) }
        return (folderEntries(path) ?? []).reduce(0) { $0 + size(of: path + "/" + $1) }
    }

    /// Bytes at the beginning of a log that are looked at for a title.
    private static let titleBytes = 64 << 10

    private func title(of log: String) -> String? {
        let file = open(log, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK)
        guard file >= 0 else { return nil }
        defer { close(file) }
        var title: String?
        var message: String?
        for line in ((try? readAll(file, from: 0, count: BackupShelf.titleBytes)) ?? []).split(separator: 0x0a) {
            guard let record = try? JSON.parse(Array(line)), let data = record["data"] else { continue }
            if record["kind"] == "status" { title = data["title"]?.stringValue ?? title }
            if record["kind"] == "message", message == nil { message = data["content"]?.stringValue }
        }
        return title ?? message.map { String($0.prefix { !$0.isNewline }.prefix(60)) }
    }
}
