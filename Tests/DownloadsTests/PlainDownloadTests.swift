import Digests
import Downloads
import Foundation
import TestSupport
import Testing

/// What works when nothing goes wrong.
@Suite struct PlainDownloadTests {
    @Test func aSmallThing() throws {
        let server = LoopbackHTTP { request, peer in
            peer.answer(
                200, ["content-type": "application/json", "x-agent": request.headers["user-agent"] ?? ""], [1, 2])
        }
        defer { server.stop() }
        let downloader = Downloader(userAgent: "test/1", environment: [:])
        #expect(try downloader.fetch(Location("http://127.0.0.1:\(server.port)/m"), limit: 2) == [1, 2])
        let error = #expect(throws: DownloadError.self) {
            try downloader.fetch(Location("http://127.0.0.1:\(server.port)/m"), limit: 1)
        }
        #expect(error?.code == .tooLarge)
    }

    @Test func aFileOverHTTPAndFromAFolder() throws {
        let folder = try TemporaryFolder("download")
        let bytes = (0..<300_000).map { UInt8(truncatingIfNeeded: $0 &* 7 >> 3) }
        try Data(bytes).write(to: URL(filePath: folder.path + "/source"))
        let server = LoopbackHTTP { _, peer in peer.answer(200, [:], bytes) }
        defer { server.stop() }
        let downloader = Downloader(userAgent: "test/1", environment: [:])
        for location in [
            try Location("http://localhost:\(server.port)/f"), try Location(file: folder.path + "/source"),
        ] {
            let file = folder.path + "/\(location.scheme)"
            var reports: [DownloadProgress] = []
            try downloader.fetch(
                [location], to: file, size: bytes.count, sha256: sha256(bytes), progress: { reports.append($0) })
            #expect(FileManager.default.contents(atPath: file) == Data(bytes))
            #expect(!FileManager.default.fileExists(atPath: file + ".part"))
            #expect(reports.last == DownloadProgress(received: bytes.count, total: bytes.count, source: location))
        }
    }
}
