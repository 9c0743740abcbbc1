import Base
import Digests
package import Downloads
import Glibc
package import Installations

/// Brings a package to this machine, and lets none through that isn't the one of the manifest.
package struct PackageFetcher {
    package var downloader: Downloader
    /// Parts and finished packages lie here.
    package let folder: String
    package var report: (ReleaseEvent) -> Void
    package var isCancelled: () -> Bool

    package init(
        downloader: Downloader, home: InstallationHome, report: @escaping (ReleaseEvent) -> Void = { _ in },
        isCancelled: @escaping () -> Bool = { false }
    ) {
        self.downloader = downloader
        folder = home.downloads
        self.report = report
        self.isCancelled = isCancelled
    }

    /// Bytes that are still to come: what was fetched before, whole or in part, is used again.
    package func missing(_ entry: ManifestEntry) -> Int {
        let file = path(entry)
        if size(file) == entry.size, (try? check(file, entry)) != nil { return 0 }
        return entry.size - min(entry.size, size(file + ".part") ?? 0)
    }

    /// Where a package lies once it is there.
    package func path(_ entry: ManifestEntry) -> String { folder + "/" + entry.package }

    /// - Parameter mirrors: where the package lies, tried in this order.
    /// - Returns: the file, whose size and both sums were found right just now.
    /// - Throws: what downloads throw; `wrongSum`.
    package func fetch(
        _ entry: ManifestEntry, component: Component, mirrors: [Location]
    ) throws(ReleaseError) -> String {
        let file = path(entry)
        do throws(SystemError) { try makeDirectories(folder) } catch {
            throw ReleaseError(code: "input_output", "\(error)")
        }
        if size(file) == entry.size {
            report(.verifying(component: component))
            if (try? check(file, entry)) != nil { return file }
        }
        try downloading { () throws(DownloadError) in
            try downloader.fetch(
                mirrors, to: file, size: entry.size, sha256: entry.sha256,
                progress: { progress in
                    report(
                        .downloading(
                            component: component, received: progress.received, total: entry.size,
                            mirror: progress.source.name))
                }, isCancelled: isCancelled)
        }
        report(.verifying(component: component))
        do throws(ReleaseError) { try check(file, entry) } catch {
            // Else it would be found again, and be as wrong.
            unlink(file)
            throw error
        }
        return file
    }

    /// Reads the whole file once for both sums.
    private func check(_ file: String, _ entry: ManifestEntry) throws(ReleaseError) {
        let descriptor = open(file, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK)
        guard descriptor >= 0 else {
            throw ReleaseError(code: "input_output", "\(SystemError.current("open \(file)"))")
        }
        defer { close(descriptor) }
        var (sha1, sha256) = (SHA1Stream(), SHA256Stream())
        var total = 0
        var buffer = [UInt8](repeating: 0, count: 256 << 10)
        while true {
            if isCancelled() { throw ReleaseError(.cancelled, "cancelled") }
            let count = read(descriptor, &buffer, buffer.count)
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else {
                throw ReleaseError(code: "input_output", "\(SystemError.current("read \(file)"))")
            }
            if count == 0 { break }
            total += count
            buffer.withUnsafeBytes { bytes in
                let part = UnsafeRawBufferPointer(rebasing: bytes[..<count])
                sha1.update(part)
                sha256.update(part)
            }
        }
        guard total == entry.size else {
            throw ReleaseError(.wrongSum, "\(entry.package) has \(total) bytes, and should have \(entry.size)")
        }
        for (name, found, expected) in [
            ("SHA-256", sha256.finish(), entry.sha256), ("SHA-1", sha1.finish(), entry.sha1),
        ] where found != expected {
            throw ReleaseError(
                .wrongSum,
                "\(entry.package) has the \(name) \(hexadecimal(found)), and should have \(hexadecimal(expected))")
        }
    }

    private func size(_ path: String) -> Int? {
        var information = stat()
        guard lstat(path, &information) == 0, information.st_mode & S_IFMT == S_IFREG else { return nil }
        return Int(information.st_size)
    }
}
