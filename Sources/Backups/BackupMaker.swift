package import Archives
package import Base
import CLinux
import Digests
import Glibc
import JSON

/// Makes a backup of a home in one file, while a daemon may be running on it: logs only grow, so that what is there up
/// to the last whole line is a log as it was at one moment; other files are replaced whole.
package struct BackupMaker {
    package let home: String
    /// Of the program that makes it.
    package let version: String
    /// Told after each file how many bytes were read.
    package var onProgress: (Int) -> Void = { _ in }

    /// Logs of so many bytes are in memory while they are packed, so that one that is cut meanwhile can be read again.
    private static let memoryBytes = 8 << 20
    private static let pieceBytes = 256 << 10

    package init(home: String, version: String) {
        self.home = home
        self.version = version
    }

    /// - Parameter path: the file, which gets its name when it is complete. What was there is replaced.
    /// - Returns: what is in it.
    package func make(_ path: String, now: Timestamp = .now) throws(ArchiveError) -> BackupManifest {
        let draft = path + ".part"
        unlink(draft)
        let file = open(draft, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0o600)
        guard file >= 0 else { throw ArchiveError(.current("open \(draft)")) }
        do throws(ArchiveError) {
            defer { close(file) }
            var manifest = BackupManifest(createdAt: now.description, version: version, files: [])
            var writer = TarWriter { bytes throws(ArchiveError) in
                try filing { () throws(SystemError) in try writeAll(Array(bytes), to: file, draft) }
            }
            for name in contents {
                if let added = try add(name, to: &writer) { manifest.files.append(added) }
                onProgress(manifest.bytes)
            }
            try writer.add(
                TarEntry(path: BackupLayout.manifest, size: 0, modified: Int(now.milliseconds / 1000)),
                manifest.json.serialize())
            try writer.finish()
            try filing { () throws(SystemError) in try synchronize(file, draft) }
            try move(draft, to: path)
            return manifest
        } catch {
            unlink(draft)
            throw error
        }
    }

    /// Paths below the home, sorted.
    private var contents: [String] {
        var paths = BackupLayout.items.filter { $0 != "sessions" }
        paths += (folderEntries(home + "/sessions") ?? []).filter { BackupLayout.isSessionFile($0[...]) }
            .map { "sessions/" + $0 }
        paths += (folderEntries(home + "/providers") ?? []).map { "providers/\($0)/module.json" }
            .filter(BackupLayout.isManifest)
        return paths.sorted()
    }

    /// - Returns: nil for a file that isn't there (any more), and for what is none.
    private func add(_ name: String, to writer: inout TarWriter) throws(ArchiveError) -> BackupManifest.File? {
        let path = home + "/" + name
        let file = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK)
        guard file >= 0 else {
            if errno == ENOENT || errno == ENOTDIR || errno == ELOOP { return nil }
            throw ArchiveError(.current("open \(path)"))
        }
        defer { close(file) }
        var information = stat()
        guard fstat(file, &information) == 0 else { throw ArchiveError(.current("stat \(path)")) }
        guard information.st_mode & S_IFMT == S_IFREG else { return nil }
        let isLog = name.hasSuffix(".jsonl")
        var size = Int(information.st_size)
        if isLog { size = try endOfLastLine(file, size) }
        let entry = TarEntry(
            path: name, size: size, permissions: 0o600, modified: max(0, Int(information.st_mtim.tv_sec)))
        var digest = SHA256Stream()
        if size <= BackupMaker.memoryBytes {
            // What was cut off meanwhile (a write that failed) was never published: what is there now is the log.
            var bytes = try filing { () throws(SystemError) in try readAll(file, from: 0, count: size) }
            if isLog { bytes.removeSubrange(((bytes.lastIndex(of: 0x0a) ?? -1) + 1)...) }
            digest.update(bytes)
            size = bytes.count
            try writer.add(entry, bytes)
        } else {
            try writer.begin(entry)
            var offset = 0
            while offset < size {
                let piece = try filing { () throws(SystemError) in
                    try readAll(file, from: offset, count: min(BackupMaker.pieceBytes, size - offset))
                }
                guard !piece.isEmpty else {
                    throw ArchiveError(.inputOutput, "\(path) was cut while it was read: try again")
                }
                digest.update(piece)
                try piece.withBytes { bytes throws(ArchiveError) in try writer.write(bytes) }
                offset += piece.count
            }
        }
        return BackupManifest.File(path: name, size: size, sha256: hexadecimal(digest.finish()))
    }

    /// A line that is being written just now doesn't count.
    private func endOfLastLine(_ file: Int32, _ size: Int) throws(ArchiveError) -> Int {
        var end = size
        while end > 0 {
            let start = max(0, end - BackupMaker.pieceBytes)
            let piece = try filing { () throws(SystemError) in try readAll(file, from: start, count: end - start) }
            if let newline = piece.lastIndex(of: 0x0a) { return start + newline + 1 }
            end = start
        }
        return 0
    }
}
