import Base
import EventLog
import Glibc

/// Whether the file is what it was when it was closed. SQLite notices a page that makes no sense; a changed word in one
/// that does would only be found or not found.
extension SearchStore {
    static let sealSuffix = ".sum"
    /// Of a larger file every second or third piece is summed up, and so on: neither the end nor the start of the daemon
    /// is to wait for a gigabyte.
    private static let summedBytes = 256 << 20
    private static let pieceBytes = 1 << 20

    /// Notes what the closed file is.
    static func seal(_ path: String) {
        guard let sum = try? sum(of: path) else { return }
        try? writeFile(path + sealSuffix, Array(sum.utf8))
    }

    /// Takes the seal off.
    /// - Returns: whether there was one; without it the last end wasn't orderly.
    static func breakSeal(of path: String) throws(SearchError) -> Bool {
        guard let seal = try? readFile(path + sealSuffix, limit: 64) else { return false }
        let found: String
        do throws(SystemError) {
            guard unlink(path + sealSuffix) == 0 else { throw .current("unlink \(path)\(sealSuffix)") }
            found = try sum(of: path)
        } catch {
            throw .unavailable("\(error)")
        }
        guard found == String(decoding: seal, as: UTF8.self) else { throw .damaged("the file isn't as it was left") }
        return true
    }

    private static func sum(of path: String) throws(SystemError) -> String {
        let files = DiskFileSystem.shared
        let fd = try files.open(path, .read)
        defer { files.close(fd) }
        let size = try files.status(fd).size
        let step = pieceBytes * max(1, (size + summedBytes - 1) / summedBytes)
        var sum: UInt64 = 0
        for offset in stride(from: 0, to: size, by: step) {
            let piece = try files.readAll(fd, offset..<min(size, offset + pieceBytes))
            sum = (sum ^ piece.withUnsafeBytes { checksum($0) }) &* 0x9e37_79b9_7f4a_7c15
            sum ^= sum >> 32
        }
        return String(sum, radix: 16) + "-\(size)"
    }
}
