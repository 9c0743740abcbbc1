import Base
package import HubProtocol
import JSON
package import Providers

/// The sessions that Claude Code keeps by itself: `<config>/projects/<folder's name>/<session>.jsonl`, with what its
/// subagents did in `<session>/subagents/agent-<id>.jsonl` beside it.
package struct ClaudeArchive: SessionArchive {
    private let folder: ArchiveFolder

    /// Read of a file for the list: the beginning has the first prompt, the end the last title.
    private static let headBytes = 256 << 10
    private static let tailBytes = 64 << 10
    private static let lineLimit = 16 << 20
    private static let subagentLimit = 64 << 20

    /// - Parameter environment: what Claude Code itself is started with.
    package init(environment: [String: String]) {
        let given = environment["CLAUDE_CONFIG_DIR"].flatMap { $0.isEmpty ? nil : $0 }
        folder = ArchiveFolder(root: (given ?? (environment["HOME"] ?? "/") + "/.claude") + "/projects")
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
        // The same conversation may lie in two folders after a move: the newest is the one that goes on.
        let found = entries().filter { ClaudeArchive.sessionId($0.name) == nativeSessionId }
            .max { $0.modified < $1.modified }
        guard let entry = found, let file = folder.open(entry.path), let session = session(entry, file) else {
            return nil
        }
        let path = Array(entry.path.dropLast()) + [nativeSessionId, "subagents"]
        let folder = folder
        return OpenedArchive(
            session: session, file: file,
            reader: ClaudeTranscript { agent in
                guard agent.utf8.allSatisfy({ ClaudeArchive.isNameByte($0) }), agent.utf8.count <= 64,
                    let file = folder.open(path + ["agent-\(agent).jsonl"]), file.bytes <= ClaudeArchive.subagentLimit,
                    let bytes = try? file.read(from: 0, count: file.bytes)
                else { return [] }
                var lines: [LineSplitter.Line] = []
                var splitter = LineSplitter(limit: ClaudeArchive.lineLimit)
                splitter.feed(bytes) { lines.append($0) }
                return lines
            })
    }

    private func entries() -> [ArchiveFolder.Entry] {
        folder.files(depth: 1) { ClaudeArchive.sessionId($0) != nil }
    }

    private static func isNameByte(_ byte: UInt8) -> Bool {
        switch byte {
        case 0x30...0x39, 0x41...0x5a, 0x61...0x7a, UInt8(ascii: "-"), UInt8(ascii: "_"): true
        default: false
        }
    }

    /// The session whose file has this name: a UUID, as Claude Code takes it for `--resume`.
    private static func sessionId(_ name: String) -> String? {
        guard name.hasSuffix(".jsonl") else { return nil }
        let id = name.dropLast(6)
        return isUUID(id) ? String(id) : nil
    }

    /// Nil for a file without anything that was said.
    private func session(_ entry: ArchiveFolder.Entry, _ file: borrowing ArchiveFile) -> ArchivedSession? {
        guard let id = ClaudeArchive.sessionId(entry.name),
            let head = try? file.read(from: 0, count: min(file.bytes, ClaudeArchive.headBytes))
        else { return nil }
        var found = Facts()
        found.read(head, isWhole: head.count == file.bytes)
        if file.bytes > head.count, found.isSession {
            let start = max(head.count, file.bytes - ClaudeArchive.tailBytes)
            if let tail = try? file.read(from: start, count: file.bytes - start) { found.readTitles(tail) }
        }
        guard found.isSession else { return nil }
        return ArchivedSession(
            nativeSessionId: id, title: (found.givenTitle ?? found.madeTitle).flatMap { ArchivedSession.line($0) },
            firstPrompt: found.prompt.flatMap { ArchivedSession.line($0) }, workspace: found.workspace ?? "/",
            createdAt: found.createdAt ?? file.modified, updatedAt: file.modified, bytes: file.bytes,
            version: found.version)
    }

    /// What the list shows of a session, gathered from some of its lines.
    private struct Facts {
        var isSession = false
        var givenTitle: String?
        var madeTitle: String?
        var prompt: String?
        var workspace: String?
        var createdAt: Timestamp?
        var version: String?

        mutating func read(_ bytes: [UInt8], isWhole: Bool) {
            var transcript = ClaudeTranscript()
            var splitter = LineSplitter(limit: ClaudeArchive.headBytes)
            splitter.feed(bytes) { take($0, &transcript) }
            if isWhole { splitter.finish { take($0, &transcript) } }
        }

        private mutating func take(_ line: LineSplitter.Line, _ transcript: inout ClaudeTranscript) {
            guard case .whole(let bytes) = line, let json = try? JSON.parse(bytes) else { return }
            noteTitle(json)
            switch json["type"]?.stringValue {
            case "user", "assistant": isSession = true
            default: return
            }
            if workspace == nil, let cwd = json["cwd"]?.stringValue, cwd.hasPrefix("/") { workspace = cwd }
            version = version ?? json["version"]?.stringValue
            createdAt = createdAt ?? json["timestamp"]?.stringValue.flatMap { Timestamp($0) }
            guard prompt == nil else { return }
            transcript.read(line) { _, event in
                if prompt == nil, case .prompt(let text, _) = event { prompt = text }
            }
        }

        mutating func readTitles(_ bytes: [UInt8]) {
            var splitter = LineSplitter(limit: ClaudeArchive.tailBytes)
            // The first line is a part of one.
            var isFirst = true
            splitter.feed(bytes) { line in
                defer { isFirst = false }
                guard !isFirst, case .whole(let bytes) = line, bytes.count < 4096, let json = try? JSON.parse(bytes)
                else { return }
                noteTitle(json)
            }
        }

        private mutating func noteTitle(_ json: JSON) {
            switch json["type"]?.stringValue {
            case "custom-title": givenTitle = json["customTitle"]?.stringValue ?? givenTitle
            case "ai-title": madeTitle = json["aiTitle"]?.stringValue ?? madeTitle
            case "summary": madeTitle = json["summary"]?.stringValue ?? madeTitle
            default: break
            }
        }
    }
}
