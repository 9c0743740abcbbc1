import Digests
import Downloads
import FaultServer
import Foundation
import TestSupport

/// A file that is fetched into a folder of its own, and what it must be.
final class Fixture {
    let bytes: [UInt8]
    let folder: TemporaryFolder
    /// Short, since there is always another attempt; what waits in vain has limits of its own.
    var limits = DownloadLimits()
    var environment: [String: String] = [:]
    var file: String { folder.path + "/file" }
    var part: String { file + ".part" }

    init(size: Int) throws {
        // Bytes that depend on their place, so that none can stand for another.
        var generator = SeededGenerator(seed: UInt64(size))
        bytes = (0..<size).map { _ in UInt8.random(in: 0...255, using: &generator) }
        folder = try TemporaryFolder("download")
        limits.pause = .milliseconds(1)
    }

    func server(_ fault: @escaping @Sendable (FaultServer.Request, Int) -> Fault? = { _, _ in nil }) throws
        -> FaultServer
    {
        let bytes = bytes
        return try FaultServer(content: { _ in bytes }, fault: fault)
    }

    func fetch(
        _ urls: [String], progress: @escaping (DownloadProgress) -> Void = { _ in },
        isCancelled: @escaping () -> Bool = { false }
    ) throws(DownloadError) {
        var locations: [Location] = []
        for url in urls { locations.append(try Location(url)) }
        try Downloader(limits: limits, userAgent: "test/1", environment: environment).fetch(
            locations, to: file, size: bytes.count, sha256: sha256(bytes), progress: progress, isCancelled: isCancelled)
    }

    /// Why it fails; nil when it doesn't.
    func failure(_ urls: [String], isCancelled: @escaping () -> Bool = { false }) -> DownloadError? {
        do throws(DownloadError) {
            try fetch(urls, isCancelled: isCancelled)
            return nil
        } catch { return error }
    }

    /// The file is right, and nothing else is left.
    var isWhole: Bool { contents(file) == bytes && !FileManager.default.fileExists(atPath: part) }

    func contents(_ path: String) -> [UInt8]? { FileManager.default.contents(atPath: path).map { Array($0) } }

    func write(_ bytes: some Sequence<UInt8>, _ path: String) throws { try Data(bytes).write(to: URL(filePath: path)) }

    func clear() {
        unlink(file)
        unlink(part)
    }
}
