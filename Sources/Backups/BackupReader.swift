import Archives
import Base
import CLinux
import Digests
import Glibc
import JSON

/// Unpacks a backup into a folder of its own and compares every file with the manifest. The archive may come from
/// anywhere: only files that a backup can have are written, and nothing outside of the folder.
final class BackupReader: TarReader.Receiver {
    /// The largest manifest: a million files of the longest names.
    private static let manifestBytes = 256 << 20

    private let folder: String
    private var found: [String: BackupManifest.File] = [:]
    private var manifest: [UInt8]?
    private var entry: TarEntry?
    private var file: Int32 = -1
    private var digest = SHA256Stream()
    private var folders: Set<String> = []

    /// - Parameter folder: exists and is empty; nil to look only.
    private init(folder: String) { self.folder = folder }

    deinit { if file >= 0 { close(file) } }

    /// - Returns: the manifest, which all that was unpacked agrees with.
    static func unpack(
        _ path: String, into folder: String, limits: TarReader.Limits, onProgress: (Int) -> Void = { _ in }
    ) throws(ArchiveError) -> BackupManifest {
        let archive = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard archive >= 0 else { throw ArchiveError(.current("open \(path)")) }
        defer { close(archive) }
        let receiver = BackupReader(folder: folder)
        let reader = TarReader(limits: limits, allowing: .similarNames, receiver: receiver)
        var buffer = [UInt8](repeating: 0, count: 256 << 10)
        var done = 0
        while true {
            let count = read(archive, &buffer, buffer.count)
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { throw ArchiveError(.current("read \(path)")) }
            if count == 0 { break }
            try buffer.withBytes { bytes throws(ArchiveError) in
                try reader.feed(UnsafeRawBufferPointer(rebasing: bytes[..<count]))
            }
            done += count
            onProgress(done)
        }
        try reader.finish()
        return try receiver.check()
    }

    private func check() throws(ArchiveError) -> BackupManifest {
        guard let manifest, let json = try? JSON.parse(manifest) else {
            throw ArchiveError(.damaged, "the archive has no manifest: it is no backup, or not whole")
        }
        guard let manifest = BackupManifest(json) else {
            throw ArchiveError(.damaged, "the manifest is none that this version reads")
        }
        for file in manifest.files where found.removeValue(forKey: file.path) != file {
            throw ArchiveError(.damaged, "\(file.path) is missing or not what the manifest says")
        }
        if let more = found.keys.min() { throw ArchiveError(.damaged, "\(more) is not in the manifest") }
        return manifest
    }

    // MARK: Entries

    func begin(_ entry: TarEntry) throws(ArchiveError) {
        guard entry.kind == .file, BackupLayout.isAllowed(entry.path), manifest == nil else {
            throw ArchiveError(.unsafe, "a backup has no \(entry.path.debugDescription)")
        }
        self.entry = entry
        if entry.path == BackupLayout.manifest {
            guard entry.size <= BackupReader.manifestBytes else {
                throw ArchiveError(.tooLarge, "the manifest is too large")
            }
            manifest = []
            return
        }
        let path = folder + "/" + entry.path
        if let parent = path.parentPath, folders.insert(parent).inserted {
            try filing { () throws(SystemError) in try makeDirectories(parent) }
        }
        file = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0o600)
        guard file >= 0 else { throw ArchiveError(.current("open \(path)")) }
        digest = SHA256Stream()
    }

    func take(_ bytes: UnsafeRawBufferPointer) throws(ArchiveError) {
        guard file >= 0 else {
            manifest?.append(contentsOf: bytes)
            return
        }
        digest.update(bytes)
        try filing { () throws(SystemError) in try writeAll(Array(bytes), to: file, entry?.path ?? "") }
    }

    func end() throws(ArchiveError) {
        guard file >= 0, let entry else { return }
        close(file)
        file = -1
        found[entry.path] = BackupManifest.File(
            path: entry.path, size: entry.size, sha256: hexadecimal(digest.finish()))
    }
}
