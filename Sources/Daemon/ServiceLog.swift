import Base
import Glibc
import JSON

/// The daemon's own log: JSON lines in a file that is rotated by size, and on stderr where a person or a service
/// manager listens.
final class ServiceLog {
    enum Level: Int, Comparable, CaseIterable {
        case debug, info, warn, error

        init?(_ name: String) {
            guard let level = Level.allCases.first(where: { "\($0)" == name }) else { return nil }
            self = level
        }

        static func < (a: Level, b: Level) -> Bool { a.rawValue < b.rawValue }
    }

    private let file: RotatingFile
    private let level: Level
    private let writesToStderr: Bool

    init(path: String, level: Level, maxBytes: Int, keep: Int, writesToStderr: Bool) {
        file = RotatingFile(path: path, maxBytes: maxBytes, keep: keep)
        self.level = level
        self.writesToStderr = writesToStderr
    }

    func log(_ level: Level, _ message: String, _ fields: JSONObject = [:]) {
        guard level >= self.level else { return }
        var object: JSONObject = [
            "ts": JSON(Timestamp.now.description), "level": JSON("\(level)"), "message": JSON(message),
        ]
        for (key, value) in fields { object[key] = value }
        var line: [UInt8] = []
        object.serialize(into: &line)
        line.append(0x0a)
        file.append(line)
        // Nothing can be done about a stderr that is gone.
        if writesToStderr { try? writeAll(line, to: STDERR_FILENO, "stderr") }
    }
}

/// A file that is put aside when it has grown: `name`, then `name.1` (newer) to `name.N` (older).
final class RotatingFile {
    private let path: String
    private let maxBytes: Int
    private let keep: Int
    private var file: Int32 = -1
    private var size = 0

    init(path: String, maxBytes: Int, keep: Int) {
        self.path = path
        self.maxBytes = maxBytes
        self.keep = keep
        reopen()
    }

    deinit { if file >= 0 { close(file) } }

    private func reopen() {
        if file >= 0 { close(file) }
        file = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0o600)
        var information = stat()
        size = file >= 0 && fstat(file, &information) == 0 ? Int(information.st_size) : 0
    }

    /// A full disk must not stop the daemon for the sake of its log: what can't be written is passed over.
    func append(_ line: [UInt8]) {
        if size > 0, size + line.count > maxBytes { rotate() }
        guard file >= 0, (try? writeAll(line, to: file, path)) != nil else { return }
        size += line.count
    }

    private func rotate() {
        for index in stride(from: keep - 1, through: 1, by: -1) { rename("\(path).\(index)", "\(path).\(index + 1)") }
        if keep > 0 { rename(path, "\(path).1") } else { unlink(path) }
        reopen()
    }
}
