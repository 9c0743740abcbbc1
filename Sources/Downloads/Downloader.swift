import Base
import Digests
import Glibc
import HTTP1

/// Fetches files. Blocks its caller's thread; belongs to one thread at a time.
package final class Downloader {
    private let limits: DownloadLimits
    private let requests: Requests

    /// - Parameters:
    ///   - userAgent: the name and version that servers are told; the only thing that they are.
    ///   - environment: where `HTTPS_PROXY`, `NO_PROXY`, `SSL_CERT_FILE` and `SSL_CERT_DIR` are looked for.
    package init(
        limits: DownloadLimits = DownloadLimits(), userAgent: String,
        environment: [String: String] = Downloader.processEnvironment()
    ) {
        self.limits = limits
        requests = Requests(limits: limits, userAgent: userAgent, environment: environment)
    }

    /// Fetches something small into memory, in one attempt.
    /// - Parameter limit: bytes that it may have; more are `tooLarge`.
    package func fetch(
        _ location: Location, limit: Int, isCancelled: @escaping () -> Bool = { false }
    ) throws(DownloadError) -> [UInt8] {
        let patience = Patience(limits.smallTimeout, isCancelled: isCancelled)
        var bytes: [UInt8] = []
        if location.scheme == .file {
            let source = try SourceFile(location)
            guard source.size <= limit else { throw tooLarge(location, limit) }
            try source.read(from: 0) { piece throws(DownloadError) in
                try patience.check()
                guard piece.count <= limit - bytes.count else { throw tooLarge(location, limit) }
                bytes.append(contentsOf: piece)
            }
            return bytes
        }
        let answer = try requests.get(location, bodyLimit: limit, patience: patience)
        guard answer.head.status == 200 else {
            throw DownloadError(.badAnswer, "\(location.name) answers \(answer.head.status) instead of a file")
        }
        try answer.readBody(minimumRate: nil) { piece throws(DownloadError) in bytes.append(contentsOf: piece) }
        return bytes
    }

    /// Fetches a file whose size and sum are known. It has its name when it is whole, right, and on the disk; until then
    /// its bytes are in `FILE.part`, where the next call goes on.
    ///
    /// All mirrors have the same bytes, so that one goes on where another stopped. One that is too slow is left for the
    /// next; one that has something else is not asked again.
    /// - Parameters:
    ///   - mirrors: in the order of preference, at least one.
    ///   - file: its folder must be there. When the right file is there already, nothing is asked for.
    ///   - size: bytes, at least 1. Not one more is written.
    ///   - sha256: 32 bytes.
    ///   - progress: called on this thread, at most every `progressInterval`, and at the end.
    ///   - isCancelled: asked at least every 100 ms; what came is kept.
    package func fetch(
        _ mirrors: [Location], to file: String, size: Int, sha256: [UInt8],
        progress: @escaping (DownloadProgress) -> Void = { _ in }, isCancelled: @escaping () -> Bool = { false }
    ) throws(DownloadError) {
        precondition(sha256.count == 32 && size > 0 && !mirrors.isEmpty, "what is to be fetched isn't said")
        let patience = Patience(limits.totalTimeout, isCancelled: isCancelled)
        if try isThere(file, size, sha256, patience) {
            progress(DownloadProgress(received: size, total: size, source: mirrors[0]))
            return
        }
        let part = try PartFile(file + ".part", of: size) { () throws(DownloadError) in try patience.check() }
        try MirrorRound(
            Array(mirrors.prefix(limits.mirrors)), part, size: size, sha256: sha256, requests, limits, patience,
            progress
        ).run()
        try part.publish(as: file)
    }

    /// The variables of this process that a downloader looks at.
    package static func processEnvironment() -> [String: String] {
        var environment: [String: String] = [:]
        let names = [
            "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY", "no_proxy", "NO_PROXY", "SSL_CERT_FILE",
            "SSL_CERT_DIR",
        ]
        for name in names {
            if let value = getenv(name) { environment[name] = String(cString: value) }
        }
        return environment
    }

    private func isThere(
        _ file: String, _ size: Int, _ sha256: [UInt8], _ patience: Patience
    ) throws(DownloadError) -> Bool {
        guard let there = try? SourceFile(Location(file: file)), there.size == size else { return false }
        var sum = SHA256Stream()
        try there.read(from: 0) { piece throws(DownloadError) in
            try patience.check()
            sum.update(piece)
        }
        return sum.finish() == sha256
    }

    private func tooLarge(_ location: Location, _ limit: Int) -> DownloadError {
        DownloadError(.tooLarge, "\(location.name) has more than \(limit) bytes")
    }
}
