import Base
import Client
import Glibc
import JSON

/// `codeai-hub service logs`: what systemd's journal has, with what systemd itself says of the service; else the daemon's
/// own file, which has all of the daemon's lines in any case.
enum ServiceLogs {
    static func show(_ invocation: Invocation) throws(CommandFailure) -> ExitCode {
        let home = try Connection.home(invocation)
        let text = invocation.options["lines"] ?? "50"
        guard let count = Int(text), (0...100_000).contains(count) else {
            throw .usage("--lines takes a number of lines, at most 100000")
        }
        let follows = invocation.has("follow")
        if let journal = DaemonProcess.find("journalctl"), has(journal, home) {
            var arguments = ["--user-unit=\(UserManager.service)", "--no-pager", "--lines=\(count)"]
            if follows { arguments.append("--follow") }
            if invocation.isJSON { arguments.append("--output=json") }
            let code: Int32
            do throws(HubError) { code = try DaemonProcess.run(journal, arguments, home: home) } catch {
                throw CommandFailure(error)
            }
            return code == 0 ? .ok : code == 130 ? .interrupted : .refused
        }
        return try showFile(home.path + "/logs/core.log", count, follows)
    }

    /// Whether the journal knows anything of the service, and this user may read it.
    private static func has(_ journal: String, _ home: HubHome) -> Bool {
        guard
            let (code, output) = DaemonProcess.capture(
                journal,
                ["--user-unit=\(UserManager.service)", "--lines=1", "--quiet", "--no-pager", "--output=cat"], home: home
            )
        else { return false }
        return code == 0 && output.contains { $0 > 0x20 }
    }

    // MARK: The daemon's own file

    /// Of a file that lines are added to.
    private static func showFile(_ path: String, _ count: Int, _ follows: Bool) throws(CommandFailure) -> ExitCode {
        var file = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK)
        guard file >= 0 || follows else {
            throw CommandFailure(
                .refused, "no_log", "\(SystemError.current("open \(path)")): no daemon has run here yet")
        }
        defer { if file >= 0 { close(file) } }
        if file >= 0 { write(last(count, of: file)) }
        while follows {
            usleep(200_000)
            if file >= 0 { writeRest(of: file) }
            // It is rotated from time to time.
            guard isOther(file, path) else { continue }
            let next = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK)
            guard next >= 0 else { continue }
            if file >= 0 { close(file) }
            file = next
            writeRest(of: file)
        }
        return .ok
    }

    /// The last lines; the file is read to its end.
    private static func last(_ count: Int, of file: Int32) -> [UInt8] {
        let size = Int(lseek(file, 0, SEEK_END))
        // A line is a few hundred bytes; 64 MiB are more than a log keeps by default.
        let start = max(0, size - min(64 << 20, max(1, count) * 1024))
        guard count > 0, let bytes = try? readAll(file, from: start, count: size - start) else { return [] }
        var lines = bytes.split(separator: 0x0a)
        if start > 0, !lines.isEmpty { lines.removeFirst() }
        return Array(lines.suffix(count).joined(separator: [0x0a])) + (lines.isEmpty ? [] : [0x0a])
    }

    private static func writeRest(of file: Int32) {
        var chunk = [UInt8](repeating: 0, count: 64 << 10)
        while true {
            let count = read(file, &chunk, chunk.count)
            guard count > 0 else { return }
            write(Array(chunk[..<count]))
        }
    }

    private static func isOther(_ file: Int32, _ path: String) -> Bool {
        var (here, there) = (stat(), stat())
        guard stat(path, &there) == 0 else { return false }
        return file < 0 || fstat(file, &here) != 0 || here.st_ino != there.st_ino
    }

    private static func write(_ bytes: [UInt8]) {
        let text = String(decoding: bytes, as: UTF8.self)
        TerminalDevice.write(isatty(STDOUT_FILENO) == 1 ? Sanitizer.clean(text) : text)
    }
}
