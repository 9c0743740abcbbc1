import Base
import CLinux
import Glibc
import JSON

/// `core/running`: there while a daemon runs, and after one that died without being able to say so.
///
/// Its first line is who runs; fatal signals add one each; its time of change is the last sign of life. A daemon that
/// finds one at its start writes what is known of the other's end to `logs/crash-<time>.json`.
final class LifeMarker {
    /// How often a sign of life is given.
    static let interval = Duration.seconds(10)

    private let path: String
    private var file: Int32 = -1

    /// - Parameter description: of this daemon.
    init(path: String, _ description: JSONObject) {
        self.path = path
        unlink(path)
        file = open(path, O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0o600)
        // On a full disk the next daemon knows less.
        guard file >= 0, (try? writeAll(JSON.object(description).serialize() + [0x0a], to: file, path)) != nil else {
            return
        }
        clinux_note_fatal_signals(file)
    }

    /// This daemon is alive.
    func touch() { if file >= 0 { futimens(file, nil) } }

    /// This daemon ends as it should, or hands over to another program.
    func end() { unlink(path) }

    /// What a daemon before this one has left.
    /// - Returns: nil when it ended well.
    static func left(at path: String) -> Remains? {
        guard let bytes = try? readFile(path, limit: 64 << 10) else { return nil }
        var information = stat()
        guard stat(path, &information) == 0 else { return nil }
        let lines = bytes.split(separator: 0x0a)
        var remains = Remains(
            lastSign: Timestamp(milliseconds: Int64(information.st_mtim.tv_sec) * 1000), signal: nil, description: [:])
        for line in lines {
            let text = String(decoding: line, as: UTF8.self)
            if text.hasPrefix("signal "), let number = Int(text.dropFirst(7)) {
                remains.signal = remains.signal ?? number
            } else if text == "sent" {
                remains.wasSent = true
            } else if let object = (try? JSON.parse(Array(line)))?.objectValue {
                remains.description = object
            }
        }
        return remains
    }

    struct Remains {
        var lastSign: Timestamp
        /// That it caused itself; nil when it was killed, or the machine stopped.
        var signal: Int?
        /// The signal came from another process.
        var wasSent = false
        /// What it wrote at its start.
        var description: JSONObject
    }
}
