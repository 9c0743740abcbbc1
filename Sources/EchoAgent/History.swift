import Base
import Glibc
import JSON

/// Where sessions are kept: one file of JSON lines each, a header and then the updates that a load replays.
struct History {
    /// What is kept of one message; a flood that was asked for needn't be kept whole.
    static let maximumText = 64 * 1024

    let folder: String

    /// - Parameter environment: looked up by name.
    init(environment: (String) -> String?) {
        func path(_ name: String) -> String? { environment(name).flatMap { $0.isEmpty ? nil : $0 } }
        let home =
            path("CODEAI_HUB_ECHO_HOME") ?? path("CODEAI_HUB_HOME").map { $0 + "/providers/echo" }
            ?? (path("HOME") ?? "/tmp") + "/.codeai-hub/providers/echo"
        folder = home + "/sessions"
    }

    /// Session identifiers name files: nothing but letters, digits and dashes is let through.
    static func isValid(_ sessionId: String) -> Bool {
        !sessionId.isEmpty && sessionId.utf8.count <= 64
            && sessionId.utf8.allSatisfy {
                ($0 >= 0x30 && $0 <= 0x39) || ($0 | 0x20 >= 0x61 && $0 | 0x20 <= 0x7a) || $0 == 0x2d
            }
    }

    /// Adds a line. A session that cannot be kept still works, it just can't be loaded later.
    func append(_ sessionId: String, _ object: JSONObject) {
        makeFolders()
        let fd = open(path(sessionId), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o600)
        guard fd >= 0 else { return }
        defer { close(fd) }
        var bytes: [UInt8] = []
        object.serialize(into: &bytes)
        bytes.append(0x0a)
        var done = 0
        while done < bytes.count {
            let written = bytes.withUnsafeBytes { write(fd, $0.baseAddress! + done, bytes.count - done) }
            if written > 0 { done += written } else if errno != EINTR { return }
        }
    }

    /// The lines of a session; nil when there is no such session. A damaged line is left out.
    func read(_ sessionId: String) -> [JSON]? {
        guard History.isValid(sessionId) else { return nil }
        let fd = open(path(sessionId), O_RDONLY | O_CLOEXEC)
        guard fd >= 0 else { return nil }
        defer { close(fd) }
        var lines: [JSON] = []
        var splitter = LineSplitter(limit: 16 * 1024 * 1024)
        let take: (LineSplitter.Line) -> Void = { line in
            if case .whole(let bytes) = line, let value = try? JSON.parse(bytes) { lines.append(value) }
        }
        var buffer = [UInt8](repeating: 0, count: 64 * 1024)
        while true {
            let count = buffer.withUnsafeMutableBytes { Glibc.read(fd, $0.baseAddress, $0.count) }
            if count > 0 {
                buffer.withUnsafeBytes { splitter.feed(UnsafeRawBufferPointer(rebasing: $0[..<count]), take) }
            } else if count == 0 || errno != EINTR {
                break
            }
        }
        splitter.finish(take)
        return lines
    }

    private func path(_ sessionId: String) -> String { folder + "/" + sessionId + ".jsonl" }

    private func makeFolders() {
        guard access(folder, F_OK) != 0 else { return }
        var path = ""
        for part in folder.split(separator: "/") {
            path += "/" + part
            mkdir(path, 0o700)
        }
    }
}
