import Downloads
import FaultServer
import Foundation
import TestSupport
import Testing

/// What the caller sees and says: progress, cancelling, and a disk that takes no more.
@Suite struct CallerTests {
    static let size = 200_000

    @Test func progressIsTold() throws {
        let fixture = try Fixture(size: Self.size)
        let server = try fixture.server()
        defer { server.stop() }
        let start = ContinuousClock.now
        var reports: [DownloadProgress] = []
        try fixture.fetch([server.url("/~rate=300000/x")], progress: { reports.append($0) })
        let tenths = Int((.now - start) / .milliseconds(100))
        #expect(reports.count <= tenths + 2)
        #expect(reports.count >= 3)
        #expect(zip(reports, reports.dropFirst()).allSatisfy { $0.received <= $1.received })
        #expect(reports.last?.received == Self.size)
        #expect(reports.allSatisfy { $0.total == Self.size && $0.source.port == server.port })
    }

    @Test(arguments: ["delay=60000", "stall=0", "stall=5000", "rate=20000", "status=503"])
    func cancelling(fault: String) throws {
        let fixture = try Fixture(size: Self.size)
        (fixture.limits.attempts, fixture.limits.pause) = (1000, .milliseconds(20))
        let server = try fixture.server()
        defer { server.stop() }
        try cancel(fixture, server.url("/~\(fault)/x"))
        try fixture.fetch([server.url("/x")])
        #expect(fixture.isWhole)
    }

    @Test func cancellingWhileNobodyAccepts() throws {
        let fixture = try Fixture(size: Self.size)
        let full = try FullListener()
        try cancel(fixture, "http://127.0.0.1:\(full.port)/x")
    }

    private func cancel(_ fixture: Fixture, _ url: String) throws {
        let start = ContinuousClock.now
        let failure = fixture.failure([url], isCancelled: { .now - start > .milliseconds(200) })
        #expect(failure?.code == .cancelled)
        #expect(.now - start < .seconds(5))
        #expect(fixture.contents(fixture.part) != nil)
    }

    @Test func itEndsInTime() throws {
        let fixture = try Fixture(size: Self.size)
        let server = try fixture.server()
        defer { server.stop() }
        fixture.limits.totalTimeout = .milliseconds(300)
        #expect(fixture.failure([server.url("/~rate=20000/x"), server.url("/~stall=3/y")])?.code == .timeout)
        #expect((fixture.contents(fixture.part) ?? []).count > 0)
    }

    /// Names files can't be written under are refused before anybody is asked, and a full disk leaves what came.
    @Test(.enabled(if: geteuid() == 0, "only root can mount a file system"))
    func aFullAndAReadOnlyDisk() throws {
        let fixture = try Fixture(size: Self.size)
        let disk = fixture.folder.path
        guard try run("mount", ["-t", "tmpfs", "-o", "size=128k,mode=700", "none", disk]).code == 0 else {
            print("download tests: no file system can be mounted here")
            return
        }
        defer { _ = try? run("umount", ["--lazy", disk]) }
        let server = try fixture.server()
        defer { server.stop() }
        let small = try #require(fixture.failure([server.url("/x")]))
        #expect(small.code == .inputOutput)
        #expect(small.message.contains("Make room"))
        #expect(server.requests.isEmpty)
        // Somebody else takes the room while it is on its way.
        #expect(try run("mount", ["-o", "remount,size=256k", disk]).code == 0)
        var isFilled = false
        let failure = #expect(throws: DownloadError.self) {
            try fixture.fetch(
                [server.url("/~rate=2000000/x")],
                progress: { _ in
                    guard !isFilled else { return }
                    isFilled = true
                    _ = FileManager.default.createFile(atPath: disk + "/other", contents: Data(count: 150_000))
                })
        }
        #expect(failure?.code == .inputOutput)
        #expect(failure?.message.contains("the disk is full") == true)
        let kept = try #require(fixture.contents(fixture.part))
        #expect(kept.count > 0)
        #expect(kept == Array(fixture.bytes[..<kept.count]))
        #expect(fixture.contents(fixture.file) == nil)
        // Read-only, then with room again.
        #expect(try run("mount", ["-o", "remount,ro", disk]).code == 0)
        #expect(fixture.failure([server.url("/x")])?.message.contains("read-only") == true)
        #expect(try run("mount", ["-o", "remount,rw", disk]).code == 0)
        unlink(disk + "/other")
        try fixture.fetch([server.url("/x")])
        #expect(server.requests.last?.start == kept.count)
        #expect(fixture.isWhole)
    }
}
