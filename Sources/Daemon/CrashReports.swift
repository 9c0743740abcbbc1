import Base
import CLinux
import Glibc
import JSON
import Redaction

/// `logs/crash-<time>.json`: what is known of daemons that died, the newest kept.
struct CrashReports {
    let folder: String
    let redactor: Redactor

    private static let prefix = "crash-"
    private static let suffix = ".json"
    /// Of the log, at the time of the crash.
    private static let logBytes = 16 << 10
    private static let logLines = 50

    /// Writes a report of a daemon's end.
    /// - Parameters:
    ///   - log: its log, which the one that writes this goes on with.
    ///   - keep: reports kept.
    /// - Returns: the file; nil when it could not be written.
    func write(_ remains: LifeMarker.Remains, log: String, keep: Int, now: Timestamp = .now) -> String? {
        var report: JSONObject = ["foundAt": JSON(now.description)]
        for key in ["version", "instanceId", "pid", "startedAt"] { report[key] = remains.description[key] }
        report["lastSignOfLife"] = JSON(remains.lastSign.description)
        if let started = remains.description["startedAt"]?.stringValue.flatMap(Timestamp.init) {
            report["uptimeSeconds"] = JSON(
                Double(max(0, remains.lastSign.milliseconds - started.milliseconds)) / 1000)
        }
        report["signal"] = remains.signal.map { JSON($0) } ?? .null
        report["reason"] = JSON(reason(remains))
        report["lastLogLines"] = .array(CrashReports.lastLines(of: log).map { .object(redactor.clean($0)) })
        let name = CrashReports.prefix + now.description.filter { $0 != ":" && $0 != "-" } + CrashReports.suffix
        let path = folder + "/" + name
        guard keep > 0, (try? writeFile(path, JSON.object(report).serialize() + [0x0a])) != nil else { return nil }
        for old in names.dropLast(keep) { unlink(folder + "/" + old) }
        return path
    }

    private func reason(_ remains: LifeMarker.Remains) -> String {
        if let signal = remains.signal {
            // SIGABRT is what systemd's watchdog sends.
            let sender = signal == 6 ? "another process: a watchdog, when the daemon hung" : "another process"
            return "ended by signal \(signal), which " + (remains.wasSent ? "came from \(sender)" : "it caused itself")
        }
        if let boot = remains.description["bootId"]?.stringValue, boot != CrashReports.bootId {
            return "the machine was restarted or lost power"
        }
        return "killed from outside: by SIGKILL, or for want of memory"
    }

    /// The kernel's name for this boot of the machine.
    static var bootId: String {
        let bytes = (try? readFile("/proc/sys/kernel/random/boot_id", limit: 256)) ?? []
        return String(decoding: bytes.filter { $0 > 32 }, as: UTF8.self)
    }

    /// Oldest first.
    var names: [String] {
        (folderEntries(folder) ?? []).filter {
            $0.hasPrefix(CrashReports.prefix) && $0.hasSuffix(CrashReports.suffix)
        }
    }

    /// Whole lines at the end of a log.
    private static func lastLines(of path: String) -> [JSONObject] {
        tail(of: path, limit: logBytes).split(separator: 0x0a).suffix(logLines)
            .compactMap { (try? JSON.parse(Array($0)))?.objectValue }
    }
}

/// The end of a file, from the beginning of a line on; empty when it can't be read.
func tail(of path: String, limit: Int) -> [UInt8] {
    let file = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK)
    guard file >= 0 else { return [] }
    defer { close(file) }
    var information = stat()
    guard fstat(file, &information) == 0, information.st_mode & S_IFMT == S_IFREG else { return [] }
    let size = Int(information.st_size)
    let start = max(0, size - limit)
    guard let bytes = try? readAll(file, from: start, count: size - start) else { return [] }
    guard start > 0, let newline = bytes.firstIndex(of: 0x0a) else { return bytes }
    return Array(bytes[(newline + 1)...])
}
