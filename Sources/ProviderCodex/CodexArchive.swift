import Base
package import HubProtocol
import JSON
package import Providers

/// The threads that Codex keeps by itself: `sessions/<year>/<month>/<day>/rollout-<time>-<thread>.jsonl` below its
/// folder, and `archived_sessions/` for those that the person put away.
package struct CodexArchive: SessionArchive {
    private let folder: ArchiveFolder

    private static let headBytes = 256 << 10

    /// - Parameter environment: what Codex itself is started with.
    package init(environment: [String: String]) {
        let given = environment["CODEX_HOME"].flatMap { $0.isEmpty ? nil : $0 }
        folder = ArchiveFolder(root: given ?? (environment["HOME"] ?? "/") + "/.codex")
    }

    package func list(limit: Int) -> [ArchivedSession] {
        var sessions: [ArchivedSession] = []
        for entry in entries().sorted(by: { $0.modified > $1.modified }) {
            guard sessions.count < limit else { break }
            guard let file = folder.open(entry.path), let session = session(entry, file) else { continue }
            sessions.append(session)
        }
        return sessions
    }

    package func open(_ nativeSessionId: String) throws(Failure) -> OpenedArchive? {
        let found = entries().filter { CodexArchive.threadId($0.name) == nativeSessionId }
            // Whole before compressed, then the newest.
            .max { (!$0.isCompressed ? 1 : 0, $0.modified) < (!$1.isCompressed ? 1 : 0, $1.modified) }
        guard let entry = found, let file = folder.open(entry.path), let session = session(entry, file) else {
            return nil
        }
        return OpenedArchive(session: session, file: file, reader: RolloutReader())
    }

    private func entries() -> [ArchiveFolder.Entry] {
        let fits = { CodexArchive.threadId($0) != nil }
        return folder.files(below: ["sessions"], depth: 3, where: fits)
            + folder.files(below: ["archived_sessions"], depth: 0, where: fits)
    }

    /// The thread whose rollout has this name.
    private static func threadId(_ name: String) -> String? {
        guard name.hasPrefix("rollout-") else { return nil }
        let stem = name.hasSuffix(".jsonl") ? name.dropLast(6) : name.hasSuffix(".jsonl.zst") ? name.dropLast(10) : ""
        guard stem.utf8.count > 36 else { return nil }
        let id = stem.suffix(36)
        return isUUID(id) ? String(id) : nil
    }

    /// Nil for a thread in which nobody said anything, or that another one started for itself.
    private func session(_ entry: ArchiveFolder.Entry, _ file: borrowing ArchiveFile) -> ArchivedSession? {
        guard let id = CodexArchive.threadId(entry.name) else { return nil }
        var session = ArchivedSession(
            nativeSessionId: id, workspace: "/", createdAt: file.modified, updatedAt: file.modified, bytes: file.bytes)
        if entry.isCompressed {
            session.problem = "Codex has compressed this thread; resume it there once, and it can be imported."
            return session
        }
        guard let head = try? file.read(from: 0, count: min(file.bytes, CodexArchive.headBytes)) else { return nil }
        var reader = RolloutReader()
        var prompt: String?
        var isOther = false
        func take(_ line: LineSplitter.Line) {
            guard prompt == nil, !isOther else { return }
            if case .whole(let bytes) = line, let json = try? JSON.parse(bytes), json["type"] == "session_meta",
                let meta = json["payload"]
            {
                isOther = meta["thread_source"] == "subagent" || meta["source"]?["subagent"] != nil
                if let cwd = meta["cwd"]?.stringValue, cwd.hasPrefix("/") { session.workspace = cwd }
                session.version = meta["cli_version"]?.stringValue
                let created = (meta["timestamp"] ?? json["timestamp"])?.stringValue
                session.createdAt = created.flatMap { Timestamp($0) } ?? session.createdAt
            }
            reader.read(line) { _, event in
                if prompt == nil, case .prompt(let text, _) = event { prompt = text }
            }
        }
        var splitter = LineSplitter(limit: CodexArchive.headBytes)
        splitter.feed(head, take)
        if head.count == file.bytes {
            splitter.finish(take)
            reader.finish { _, event in
                if prompt == nil, case .prompt(let text, _) = event { prompt = text }
            }
        }
        guard !isOther, prompt != nil || head.count < file.bytes else { return nil }
        session.title = reader.title.flatMap { ArchivedSession.line($0) }
        session.firstPrompt = prompt.flatMap { ArchivedSession.line($0) }
        return session
    }
}

extension ArchiveFolder.Entry {
    fileprivate var isCompressed: Bool { name.hasSuffix(".zst") }
}
