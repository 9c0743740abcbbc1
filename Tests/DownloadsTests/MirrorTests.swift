import Downloads
import FaultServer
import Foundation
import TestSupport
import Testing

/// Several that should have the same: which of them don't, and which are slow.
@Suite struct MirrorTests {
    static let size = 200_000

    @Test func deadSlowAndLyingOnes() throws {
        let fixture = try Fixture(size: Self.size)
        let server = try fixture.server()
        defer { server.stop() }
        let dead = try fixture.server()
        dead.stop()
        fixture.limits.stallTimeout = .milliseconds(500)
        try fixture.fetch([
            dead.url("/x"), server.url("/~stall=1000/x"), server.url("/~flip=150000/x"), server.url("/~html/x"),
            server.url("/x"),
        ])
        #expect(fixture.isWhole)
    }

    /// The one after a slow one goes on where that was left, and a slow one alone may be slow.
    @Test func tooSlowAsLongAsThereIsAnother() throws {
        let fixture = try Fixture(size: Self.size)
        (fixture.limits.minimumRate, fixture.limits.rateWindow) = (1 << 30, .milliseconds(200))
        let server = try fixture.server()
        defer { server.stop() }
        let slow = server.url("/~rate=400000/slow")
        try fixture.fetch([slow, server.url("/fast")])
        #expect(fixture.isWhole)
        let fast = try #require(server.requests.first { $0.path == "/fast" })
        #expect(fast.start > 0)
        #expect(server.requests.count == 2)
        fixture.clear()
        try fixture.fetch([slow])
        #expect(fixture.isWhole)
        #expect(server.requests.count == 3)
    }

    /// Half is right, half is not: who it was is found out, and the honest one's word counts in the end.
    @Test func oneThatLiesAboutTheRest() throws {
        let fixture = try Fixture(size: Self.size)
        let server = try fixture.server { request, before in
            switch request.path {
            case "/honest": before == 0 ? Fault { ($0.cut, $0.resets) = (Self.size / 2, false) } : nil
            default: Fault { $0.flip = Self.size - 10 }
            }
        }
        defer { server.stop() }
        fixture.limits.worthwhileBytes = 1 << 20
        try fixture.fetch([server.url("/honest"), server.url("/liar")])
        #expect(fixture.isWhole)
        let paths = server.requests.map { "\($0.path) \($0.start)" }
        #expect(paths == ["/honest 0", "/liar \(Self.size / 2)", "/liar 0", "/honest 0"])
    }

    @Test func allLie() throws {
        let fixture = try Fixture(size: Self.size)
        let server = try fixture.server { _, _ in Fault { $0.flip = 1 } }
        defer { server.stop() }
        let failure = try #require(fixture.failure((0..<5).map { server.url("/\($0)") }))
        #expect(failure.code == .wrongSum)
        #expect(failure.message.contains("none of 5 mirrors"))
        #expect(server.requests.count == 5)
        #expect(fixture.contents(fixture.part) == [])
    }

    /// An error says more than that somebody else couldn't be reached.
    @Test func whatIsToldOfSeveralErrors() throws {
        let fixture = try Fixture(size: Self.size)
        let server = try fixture.server()
        defer { server.stop() }
        let dead = try fixture.server()
        dead.stop()
        let failure = try #require(fixture.failure([dead.url("/x"), server.url("/~status=404/x?key=secret")]))
        #expect(failure.isAbsence)
        #expect(failure.message.contains("Connection refused"))
        #expect(!failure.message.contains("secret"))
    }

    @Test func nobodyIsAskedWithoutEnd() throws {
        let fixture = try Fixture(size: Self.size)
        let server = try fixture.server { _, _ in Fault { $0.status = 503 } }
        defer { server.stop() }
        #expect(fixture.failure((0..<40).map { server.url("/\($0)") })?.code == .refused(status: 503))
        #expect(server.requests.count == fixture.limits.mirrors * fixture.limits.attempts)
    }

    @Test func foldersAsMirrors() throws {
        let fixture = try Fixture(size: Self.size)
        let server = try fixture.server()
        defer { server.stop() }
        let path = fixture.folder.path
        try fixture.write(fixture.bytes, path + "/right")
        try fixture.write(fixture.bytes.dropLast(), path + "/short")
        try fixture.write(fixture.bytes.reversed(), path + "/wrong")
        mkfifo(path + "/pipe", 0o600)
        let expected: [(String, DownloadError.Code)] = [
            ("short", .wrongSize), ("wrong", .wrongSum), ("missing", .absent), ("pipe", .unreachable),
            (".", .unreachable),
            ("right/x", .absent),
        ]
        for (name, code) in expected {
            #expect(fixture.failure(["file://\(path)/\(name)"])?.code == code, "\(name)")
        }
        try fixture.write(fixture.bytes[..<777], fixture.part)
        try fixture.fetch(["file://\(path)/missing", "file://\(path)/wrong", "file://\(path)/right"])
        #expect(fixture.isWhole)
        fixture.clear()
        try fixture.fetch(["file://\(path)/short", server.url("/x")])
        #expect(fixture.isWhole)
    }
}
