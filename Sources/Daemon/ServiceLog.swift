import Base
import CLinux
import Glibc
import JSON
import Redaction

/// The daemon's own log: JSON lines in a file that is rotated, and on stderr where a person or a service manager
/// listens. Nothing secret gets in, whoever hands it over. May be used from any thread.
final class ServiceLog: @unchecked Sendable {
    enum Level: Int, Comparable, CaseIterable {
        case debug, info, warn, error

        init?(_ name: String) {
            guard let level = Level.allCases.first(where: { "\($0)" == name }) else { return nil }
            self = level
        }

        static func < (a: Level, b: Level) -> Bool { a.rawValue < b.rawValue }

        /// How systemd's journal learns it (sd-daemon(3)).
        var prefix: [UInt8] {
            switch self {
            case .debug: Array("<7>".utf8)
            case .info: Array("<6>".utf8)
            case .warn: Array("<4>".utf8)
            case .error: Array("<3>".utf8)
            }
        }
    }

    let path: String
    private struct State {
        var file: RotatingFile
        var level: Level
        /// Lost lines that the file has told of.
        var told = 0
    }
    private let state: Lock<State>
    private let redactor: Redactor
    private let stderr: Listener

    /// Who reads what is written to stderr.
    enum Listener { case nobody, person, journal }

    /// Whether stderr is systemd's journal: `JOURNAL_STREAM` holds its device and inode (systemd.exec(5)).
    static func isJournal(_ variable: String?) -> Bool {
        var information = stat()
        guard let variable, fstat(STDERR_FILENO, &information) == 0 else { return false }
        return variable == "\(information.st_dev):\(information.st_ino)"
    }

    init(path: String, level: Level, rules: RotatingFile.Rules, redactor: Redactor, stderr: Listener) {
        self.path = path
        state = Lock(State(file: RotatingFile(path: path, rules: rules), level: level))
        self.redactor = redactor
        self.stderr = stderr
    }

    /// What the configuration says from now on.
    func apply(level: Level, rules: RotatingFile.Rules) {
        state.withLock { state in
            state.level = level
            state.file.apply(rules)
        }
    }

    /// Lines that could not be written.
    var lost: Int { state.withLock { $0.file.lost } }

    func log(_ level: Level, _ message: String, _ fields: JSONObject = [:]) {
        guard level >= state.withLock({ $0.level }) else { return }
        let line = text(level, message, fields)
        let lost: Int = state.withLock { state in
            guard state.file.append(line) else { return 0 }
            defer { state.told = state.file.lost }
            return state.file.lost - state.told
        }
        if stderr != .nobody { ServiceLog.writeToStderr(stderr == .journal ? level.prefix + line : line) }
        if lost > 0 { log(.warn, "lines of this log could not be written", ["lines": JSON(lost)]) }
    }

    private func text(_ level: Level, _ message: String, _ fields: JSONObject) -> [UInt8] {
        var object: JSONObject = [
            "ts": JSON(Timestamp.now.description), "level": JSON("\(level)"), "message": JSON(redactor.clean(message)),
        ]
        for (key, value) in redactor.clean(fields) { object[key] = value }
        var line: [UInt8] = []
        object.serialize(into: &line)
        line.append(0x0a)
        return line
    }

    /// What a pipe takes at once without waiting, and whole (POSIX's PIPE_BUF on Linux).
    private static let pipePiece = 4096

    /// A reader that has stopped reading must not stop the daemon: what it doesn't take now, it doesn't get.
    private static func writeToStderr(_ line: [UInt8]) {
        var start = 0
        while start < line.count {
            var room = pollfd(fd: STDERR_FILENO, events: Int16(POLLOUT), revents: 0)
            guard poll(&room, 1, 0) == 1, room.revents & Int16(POLLOUT) != 0 else { return }
            let end = min(line.count, start + pipePiece)
            // Nothing can be done about a stderr that is gone.
            guard (try? writeAll(Array(line[start..<end]), to: STDERR_FILENO, "stderr")) != nil else { return }
            start = end
        }
    }
}
