import Archives
import Base
import CLinux
import Glibc
import JSON
import Redaction

/// What somebody who helps needs to see of a daemon, in one archive; nothing that was said in a session, nothing secret.
///
/// The parts that only the loop knows are taken there; the rest is read, cleaned and packed on another thread.
struct Diagnostics: Sendable {
    /// By name in the archive.
    var parts: [(name: String, bytes: [UInt8])]
    var home: String
    var takenAt: Timestamp
    var redactor: Redactor

    /// Bytes of the end of each log.
    private static let logBytes = 1 << 20
    private static let folder = "codeai-hub-diagnostics"

    /// The archive, made in memory: where the disk is full it is needed most.
    func pack() -> Result<[UInt8], ArchiveError> {
        var files = parts
        files.append(("system.json", lines(system)))
        files.append(("home.json", lines(["files": .array(overview)])))
        for name in ["core.log", "core.log.1", "audit.log", "core-start.log"] {
            let bytes = tail(of: "\(home)/logs/\(name)", limit: Diagnostics.logBytes)
            if !bytes.isEmpty { files.append(("logs/" + name, bytes)) }
        }
        for name in CrashReports(folder: home + "/logs", redactor: redactor).names {
            files.append(("logs/" + name, tail(of: "\(home)/logs/\(name)", limit: 256 << 10)))
        }
        let output = Collected()
        var writer = TarWriter { piece throws(ArchiveError) in output.bytes.append(contentsOf: piece) }
        do throws(ArchiveError) {
            for file in files.sorted(by: { $0.name < $1.name }) {
                let entry = TarEntry(
                    path: Diagnostics.folder + "/" + file.name, size: 0, modified: Int(takenAt.milliseconds / 1000))
                // Once more, whatever it was taken from.
                try writer.add(entry, redactor.clean(file.bytes))
            }
            try writer.finish()
            return .success(output.bytes)
        } catch {
            return .failure(error)
        }
    }

    private final class Collected {
        var bytes: [UInt8] = []
    }

    private func lines(_ object: JSONObject) -> [UInt8] { JSON.object(redactor.clean(object)).serialize() + [0x0a] }

    // MARK: The machine

    private var system: JSONObject {
        var object: JSONObject = [:]
        var names = utsname()
        if uname(&names) == 0 {
            object["kernel"] = JSON(text(of: &names.sysname) + " " + text(of: &names.release))
            object["machine"] = JSON(text(of: &names.machine))
        }
        object["os"] = fileText("/etc/os-release").map { JSON(value("PRETTY_NAME", in: $0) ?? "") }
        if let memory = fileText("/proc/meminfo") {
            for line in memory.split(separator: "\n").prefix(3) {
                let parts = line.split(separator: ":")
                if parts.count == 2 { object[String(parts[0])] = JSON(String(parts[1].drop { $0 == " " })) }
            }
        }
        object["loadAverage"] = fileText("/proc/loadavg").map { JSON(String($0.prefix { $0 != "\n" })) }
        object["cores"] = JSON(sysconf(Int32(_SC_NPROCESSORS_ONLN)))
        var disk = statvfs()
        if statvfs(home, &disk) == 0 {
            object["diskFreeBytes"] = JSON(Int(clamping: disk.f_bavail) * Int(clamping: disk.f_frsize))
            object["diskTotalBytes"] = JSON(Int(clamping: disk.f_blocks) * Int(clamping: disk.f_frsize))
            object["inodesFree"] = JSON(Int(clamping: disk.f_favail))
        }
        var limits: JSONObject = [:]
        for line in (fileText("/proc/self/limits") ?? "").split(separator: "\n").dropFirst() {
            let name = line.prefix(26).reversed().drop { $0 == " " }.reversed()
            limits[String(name)] = JSON(line.dropFirst(26).split(separator: " ").prefix(2).joined(separator: " "))
        }
        object["limits"] = .object(limits)
        object["user"] = JSON(Int(getuid()))
        // Names only.
        object["environment"] = JSON(processEnvironment().keys.sorted())
        return object
    }

    /// What lies in the home, for questions of permissions and of space. Of sessions only how many and how large.
    private var overview: [JSON] {
        var entries: [JSON] = []
        for folder in ["", "core", "logs", "providers", "backups"] {
            let path = folder.isEmpty ? home : home + "/" + folder
            for name in (folderEntries(path) ?? []).prefix(1000) {
                guard let entry = describe(path + "/" + name, (folder.isEmpty ? "" : folder + "/") + name) else {
                    continue
                }
                entries.append(.object(entry))
            }
        }
        var sum = 0
        let sessions = folderEntries(home + "/sessions") ?? []
        var information = stat()
        for name in sessions where lstat(home + "/sessions/" + name, &information) == 0 {
            sum += Int(information.st_size)
        }
        entries.append(["name": "sessions/*", "count": JSON(sessions.count), "bytes": JSON(sum)])
        return entries
    }

    private func describe(_ path: String, _ name: String) -> JSONObject? {
        var information = stat()
        guard lstat(path, &information) == 0 else { return nil }
        return [
            "name": JSON(name), "mode": JSON(String(information.st_mode, radix: 8)),
            "owner": JSON(Int(information.st_uid)),
            "bytes": JSON(Int(information.st_size)),
            "modified": JSON(Timestamp(milliseconds: Int64(information.st_mtim.tv_sec) * 1000).description),
        ]
    }

    private func fileText(_ path: String) -> String? {
        (try? readFile(path, limit: 64 << 10)).map { String(decoding: $0, as: UTF8.self) }
    }

    private func value(_ name: String, in text: String) -> String? {
        text.split(separator: "\n").first { $0.hasPrefix(name + "=") }
            .map { $0.dropFirst(name.utf8.count + 1).filter { $0 != "\"" } }
    }
}

/// A C array of characters up to its NUL.
private func text<Field>(of field: inout Field) -> String {
    withUnsafeBytes(of: &field) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
}
