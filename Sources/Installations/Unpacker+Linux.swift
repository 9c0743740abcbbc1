import Archives
import Base
import CLinux
import Digests
import Glibc

/// Unpacks a package into an empty folder. It may come from anywhere: nothing is written outside of the folder, no link is
/// followed, and nothing becomes anything but a file that others can read at most.
///
/// Every file is on the disk when it returns, and compared are the bytes that were unpacked, not those that were there before.
final class Unpacker: TarReader.Receiver {
    private let folder: Int32
    private(set) var files: [InstallRecord.File] = []
    private var folders: Set<String> = []
    private var entry: TarEntry?
    private var file: Int32 = -1
    private var mode: mode_t = 0
    private var digest = SHA256Stream()

    private init(folder: Int32) { self.folder = folder }

    deinit { if file >= 0 { close(file) } }

    /// - Parameters:
    ///   - folder: exists, is ours, and is empty.
    ///   - onProgress: told how many bytes of the package were read.
    /// - Returns: the files, in the order of their paths.
    static func unpack(
        _ package: Package, into folder: String, onProgress: (Int) -> Void
    ) throws(InstallationError) -> [InstallRecord.File] {
        let directory = open(folder, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
        guard directory >= 0 else { throw InstallationError(.current("open \(folder)")) }
        defer { close(directory) }
        let unpacker = Unpacker(folder: directory)
        do throws(ArchiveError) {
            try read(package, into: unpacker, onProgress)
        } catch {
            // What the system refused has a better name there.
            throw unpacker.failure ?? InstallationError(error)
        }
        let paths = Set(unpacker.files.map(\.path))
        for name in package.component.requiredFiles where !paths.contains(name) {
            throw InstallationError(.packageIncomplete, "\(package.name) has no \(name)")
        }
        for file in unpacker.files where package.component.programs.contains(file.path) && file.mode != 0o755 {
            throw InstallationError(.packageIncomplete, "\(package.name) has a \(file.path) that can't be executed")
        }
        try filing { () throws(SystemError) in
            for path in unpacker.folders { try synchronize(folder: folder + "/" + path) }
        }
        return unpacker.files.sorted { $0.path < $1.path }
    }

    private static func read(
        _ package: Package, into unpacker: Unpacker, _ onProgress: (Int) -> Void
    ) throws(ArchiveError) {
        let archive = open(package.file, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard archive >= 0 else { throw unpacker.failed(.current("open \(package.file)")) }
        defer { close(archive) }
        var limits = TarReader.Limits()
        limits.entries = PackageLayout.entries
        limits.bytes = min(package.unpackedSize ?? PackageLayout.bytes, PackageLayout.bytes)
        limits.pathBytes = PackageLayout.pathBytes
        let reader = TarReader(limits: limits, allowing: .hardLinks, receiver: unpacker)
        var sums = (sha1: SHA1Stream(), sha256: SHA256Stream())
        var buffer = [UInt8](repeating: 0, count: 256 << 10)
        var done = 0
        while true {
            let count = Glibc.read(archive, &buffer, buffer.count)
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { throw unpacker.failed(.current("read \(package.file)")) }
            if count == 0 { break }
            done += count
            guard done <= package.size else { break }
            try buffer.withBytes { bytes throws(ArchiveError) in
                let piece = UnsafeRawBufferPointer(rebasing: bytes[..<count])
                sums.sha1.update(piece)
                sums.sha256.update(piece)
                try reader.feed(piece)
            }
            onProgress(done)
        }
        guard done == package.size else {
            throw unpacker.failed(
                .wrongSize, "\(package.name) has another size than the announced \(package.size) bytes")
        }
        guard sums.sha256.finish() == package.sha256, package.sha1.map({ sums.sha1.finish() == $0 }) ?? true else {
            throw unpacker.failed(.wrongSum, "\(package.name) is not what was announced: its checksum is another one")
        }
        try reader.finish()
    }

    // MARK: Entries

    func begin(_ entry: TarEntry) throws(ArchiveError) {
        guard PackageLayout.isAllowed(entry.path) else {
            throw ArchiveError(.unsafe, "the package has a file of an unexpected name: \(entry.path.debugDescription)")
        }
        self.entry = entry
        try makeParents(of: entry.path)
        switch entry.kind {
        case .folder: try makeFolder(entry.path)
        case .hardLink(let target): try link(entry.path, to: target)
        case .file:
            mode = entry.permissions & 0o100 != 0 ? 0o755 : 0o644
            file = try create(entry.path)
            digest = SHA256Stream()
        }
    }

    func take(_ bytes: UnsafeRawBufferPointer) throws(ArchiveError) {
        guard let entry, file >= 0 else { return }
        digest.update(bytes)
        try write(bytes, entry.path)
    }

    func end() throws(ArchiveError) {
        guard file >= 0, let entry else { return }
        try finish(entry.path, mode)
        files.append(
            InstallRecord.File(
                path: entry.path, size: entry.size, sha256: hexadecimal(digest.finish()), mode: UInt32(mode)))
    }

    private func create(_ path: String) throws(ArchiveError) -> Int32 {
        let file = clinux_walk_beneath(folder, path, O_WRONLY | O_CREAT | O_EXCL, 0o600)
        guard file >= 0 else { throw failed(.current("make \(path)")) }
        return file
    }

    private func write(_ bytes: UnsafeRawBufferPointer, _ path: String) throws(ArchiveError) {
        var offset = 0
        while offset < bytes.count {
            let count = Glibc.write(file, bytes.baseAddress! + offset, bytes.count - offset)
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { throw failed(.current("write \(path)")) }
            offset += count
        }
    }

    private func makeParents(of path: String) throws(ArchiveError) {
        let parts = path.pathParts
        for count in 1..<max(1, parts.count) { try makeFolder(parts[..<count].joined(separator: "/")) }
    }

    /// There are no links on the way: none were made.
    private func makeFolder(_ path: String) throws(ArchiveError) {
        guard folders.insert(path).inserted else { return }
        guard mkdirat(folder, path, 0o755) == 0 else { throw failed(.current("make the folder \(path)")) }
    }

    /// A second name of a file that was unpacked before; where the file system has no such thing, a copy.
    private func link(_ path: String, to target: String) throws(ArchiveError) {
        guard let original = files.first(where: { $0.path == target }) else {
            throw ArchiveError(.unsafe, "the package has a link to what is no file before it: \(path)")
        }
        var same = original
        same.path = path
        if linkat(folder, target, folder, path, 0) != 0 { try copy(original, to: path) }
        files.append(same)
    }

    private func copy(_ original: InstallRecord.File, to path: String) throws(ArchiveError) {
        let source = clinux_walk_beneath(folder, original.path, O_RDONLY, 0)
        guard source >= 0 else { throw failed(.current("open \(original.path)")) }
        defer { close(source) }
        file = try create(path)
        var offset = 0
        while offset < original.size {
            let piece: [UInt8]
            do throws(SystemError) {
                piece = try readAll(source, from: offset, count: min(1 << 20, original.size - offset))
            } catch {
                throw failed(error)
            }
            guard !piece.isEmpty else { throw failed(SystemError(errno: EIO, operation: "read \(original.path)")) }
            try piece.withBytes { bytes throws(ArchiveError) in try write(bytes, path) }
            offset += piece.count
        }
        try finish(path, mode_t(original.mode))
    }

    /// The file is whole: it gets its mode, and is on the disk when this returns.
    private func finish(_ path: String, _ mode: mode_t) throws(ArchiveError) {
        do throws(SystemError) {
            guard fchmod(file, mode) == 0 else { throw .current("write \(path)") }
            try synchronize(file, path)
        } catch {
            throw failed(error)
        }
        close(file)
        file = -1
    }

    /// What ended it, where `ArchiveError` has no name for it.
    private var failure: InstallationError?

    private func failed(_ error: SystemError) -> ArchiveError {
        failure = InstallationError(error)
        return ArchiveError(.inputOutput, error.description)
    }

    private func failed(_ code: InstallationError.Code, _ message: String) -> ArchiveError {
        failure = InstallationError(code, message)
        return ArchiveError(.damaged, message)
    }
}
