import Base
import CLinux
import Glibc

/// A file of lines that is put aside when it has grown or aged: `name`, then `name.1` (newer) to `name.N` (older).
///
/// A full disk, or a folder that can't be written, must not hurt the daemon: what can't be written is counted and passed
/// over, and writing begins again when it can.
final class RotatingFile {
    struct Rules: Equatable {
        var maxBytes = 10 << 20
        /// A file whose first line is older is put aside; one put aside whose last line is, removed.
        var maxAgeDays = 14
        /// Files put aside that are kept.
        var keep = 5
    }

    /// Lines that could not be written since the start.
    private(set) var lost = 0

    private let path: String
    private var rules: Rules
    private let now: () -> Timestamp
    private var file: Int32 = -1
    private var inode: ino_t = 0
    private var size = 0
    /// Of the file's first line, as far as known.
    private var begun: Timestamp
    /// Wall clock milliseconds at which the file is looked at again.
    private var nextLook: Int64 = 0
    private var nextAgeing: Int64 = 0

    private static let lookInterval: Int64 = 1000
    private static let ageInterval: Int64 = 3_600_000
    private static let day: Int64 = 86_400_000

    /// - Parameter now: the wall clock; injected in tests.
    init(path: String, rules: Rules, now: @escaping () -> Timestamp = { .now }) {
        self.path = path
        self.rules = rules
        self.now = now
        begun = now()
        reopen()
    }

    deinit { if file >= 0 { close(file) } }

    /// What the configuration says from now on.
    func apply(_ rules: Rules) {
        guard rules != self.rules else { return }
        self.rules = rules
        nextAgeing = 0
        removeExcess()
    }

    /// - Returns: whether the line was written.
    @discardableResult
    func append(_ line: [UInt8]) -> Bool {
        let time = now().milliseconds
        look(at: time)
        if size > 0, size + line.count > rules.maxBytes { rotate() }
        guard file >= 0, write(line) else {
            lost += 1
            return false
        }
        size += line.count
        return true
    }

    private func write(_ line: [UInt8]) -> Bool {
        do throws(SystemError) {
            try writeAll(line, to: file, path)
            return true
        } catch {
            // A disk that was nearly full took a part of it.
            ftruncate(file, off_t(size))
            return false
        }
    }

    // MARK: Opening

    /// Once a second: somebody may have moved the file, or its folder can be written again. Once an hour: its age.
    private func look(at time: Int64) {
        // A clock that was set back must not stop this for as long.
        if time >= nextLook || nextLook - time > RotatingFile.lookInterval {
            nextLook = time + RotatingFile.lookInterval
            var information = stat()
            if file < 0 || stat(path, &information) != 0 || information.st_ino != inode { reopen() }
        }
        if time >= nextAgeing || nextAgeing - time > RotatingFile.ageInterval {
            nextAgeing = time + RotatingFile.ageInterval
            age(time)
        }
    }

    private func reopen() {
        if file >= 0 { close(file) }
        file = open(path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0o600)
        size = 0
        guard file >= 0 else { return }
        var information = stat()
        guard fstat(file, &information) == 0, information.st_mode & S_IFMT == S_IFREG else {
            close(file)
            file = -1
            return
        }
        inode = information.st_ino
        size = Int(information.st_size)
        begun = size > 0 ? firstTime() ?? now() : now()
        endTornLine()
    }

    /// The time of the first line, which ours begin with: `{"ts":"..."`.
    private func firstTime() -> Timestamp? {
        guard let bytes = try? readAll(file, from: 0, count: 64) else { return nil }
        let parts = String(decoding: bytes, as: UTF8.self).split(separator: "\"", omittingEmptySubsequences: false)
        return parts.count > 3 && parts[1] == "ts" ? Timestamp(String(parts[3])) : nil
    }

    /// A line that a full disk or a crash has cut must not swallow the next.
    private func endTornLine() {
        guard size > 0, let last = try? readAll(file, from: size - 1, count: 1), last != [0x0a] else { return }
        if write([0x0a]) { size += 1 }
    }

    // MARK: Putting aside

    private func rotate() {
        for index in stride(from: rules.keep - 1, through: 1, by: -1) {
            rename("\(path).\(index)", "\(path).\(index + 1)")
        }
        if rules.keep > 0 { rename(path, "\(path).1") } else { unlink(path) }
        removeExcess()
        reopen()
    }

    private func age(_ time: Int64) {
        let limit = Int64(rules.maxAgeDays) * RotatingFile.day
        if size > 0, time - begun.milliseconds > limit { rotate() }
        var index = 1
        var information = stat()
        while stat("\(path).\(index)", &information) == 0 {
            let last = Int64(information.st_mtim.tv_sec) * 1000
            if time - last > limit { unlink("\(path).\(index)") }
            index += 1
        }
    }

    /// More were kept under an earlier configuration.
    private func removeExcess() {
        var index = rules.keep + 1
        while unlink("\(path).\(index)") == 0 { index += 1 }
    }
}
