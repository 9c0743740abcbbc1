import Downloads
import FaultServer
import Foundation
import TestSupport
import Testing

/// What becomes of a part that is there already, and of servers that can't send a rest.
@Suite struct ResumeTests {
    static let size = 50_000

    @Test func itGoesOn() throws {
        let fixture = try Fixture(size: Self.size)
        let server = try fixture.server()
        defer { server.stop() }
        try fixture.write(fixture.bytes[..<12_345], fixture.part)
        var first: DownloadProgress?
        try fixture.fetch([server.url("/x")], progress: { first = first ?? $0 })
        #expect(server.requests.map(\.start) == [12_345])
        #expect((first?.received ?? 0) >= 12_345)
        #expect(fixture.isWhole)
    }

    /// Never is anything put behind the part that doesn't belong there.
    @Test(arguments: [
        "noranges", "noranges;chunked", "noranges;close", "wrongrange", "wrongrange;chunked", "claim=3",
    ])
    func aServerThatCant(fault: String) throws {
        let fixture = try Fixture(size: Self.size)
        let server = try fixture.server()
        defer { server.stop() }
        try fixture.write(fixture.bytes[..<12_345], fixture.part)
        // What claims a wrong length does so for every answer; the others only matter where a rest is asked for.
        let url = server.url("/~\(fault)\(fault.hasPrefix("claim") ? ";times=1" : "")/x")
        try fixture.fetch([url])
        #expect(fixture.isWhole)
        #expect(server.requests.count <= 2)
        #expect(server.requests[0].start == 12_345)
    }

    @Test(arguments: [
        "", "bytes", "bytes */50000", "bytes 12345-49999", "bytes 12345-49999/50001", "bytes 12345-49998/50000",
        "bytes 12344-49999/50000", "bytes 0-49999/50000", "bytes 12345-50000/50000", "bytes 12345-/50000",
        "bytes -49999/50000", "bytes=12345-49999/50000", "items 12345-49999/50000", "bytes 12345-49999/50000/1",
        "bytes 12345--1/50000", "bytes +12345-49999/50000", "bytes 99999999999999999999-1/2",
        "bytes  12345-49999/50000",
    ])
    func whatARangeMayNotSay(contentRange: String) throws {
        let fixture = try Fixture(size: Self.size)
        let server = try fixture.server { _, _ in Fault { $0.contentRange = contentRange } }
        defer { server.stop() }
        try fixture.write(fixture.bytes[..<12_345], fixture.part)
        try fixture.fetch([server.url("/x")])
        #expect(fixture.isWhole)
        #expect(server.requests.map(\.start) == [12_345, 0])
    }

    @Test(arguments: ["bytes 12345-49999/50000", "bytes 12345-49999/*", "Bytes 12345-49999/50000"])
    func whatARangeMaySay(contentRange: String) throws {
        let fixture = try Fixture(size: Self.size)
        let server = try fixture.server { _, _ in Fault { $0.contentRange = contentRange } }
        defer { server.stop() }
        try fixture.write(fixture.bytes[..<12_345], fixture.part)
        try fixture.fetch([server.url("/x")])
        #expect(fixture.isWhole)
        #expect(server.requests.map(\.start) == [12_345])
    }

    /// The server's file has become another one between two requests: it says so, and all of it is fetched.
    @Test func theFileWasReplaced() throws {
        let fixture = try Fixture(size: Self.size)
        let server = try fixture.server { _, before in
            before == 0
                ? Fault { ($0.flip, $0.cut, $0.entityTag) = (5, 30_000, "\"old\"") }
                : Fault { $0.entityTag = "\"new\"" }
        }
        defer { server.stop() }
        try fixture.fetch([server.url("/x")])
        #expect(fixture.isWhole)
        #expect(server.requests.count == 2)
        #expect(server.requests[1].headers["if-range"] == "\"old\"")
        try eventually("the answer is noted") { server.requests[1].status == 200 }
    }

    @Test func aWeakTagSaysNothingAboutBytes() throws {
        let fixture = try Fixture(size: Self.size)
        let server = try fixture.server { _, before in
            Fault { ($0.entityTag, $0.cut) = ("W/\"1\"", before == 0 ? 30_000 : nil) }
        }
        defer { server.stop() }
        try fixture.fetch([server.url("/x")])
        #expect(fixture.isWhole)
        #expect(server.requests[1].start == 30_000)
        #expect(server.requests[1].headers["if-range"] == nil)
    }

    @Test func theFileHasBecomeShorter() throws {
        let fixture = try Fixture(size: Self.size)
        let short = Array(fixture.bytes[..<10_000])
        let server = try FaultServer(content: { _ in short })
        defer { server.stop() }
        try fixture.write(fixture.bytes[..<12_345], fixture.part)
        #expect(fixture.failure([server.url("/x")])?.code == .wrongSize)
        try eventually("both answers are noted") { server.requests.map(\.status) == [416, 200] }
        // And what was there is still good for another day.
        #expect(fixture.contents(fixture.part)?.count == 12_345)
    }

    // MARK: Parts

    @Test func partsOfSomethingElse() throws {
        let fixture = try Fixture(size: Self.size)
        let server = try fixture.server()
        defer { server.stop() }
        let garbage = [UInt8](repeating: 7, count: Self.size)
        for (part, starts) in [
            (garbage[..<20_000], [20_000, 0]), (garbage[...], [0]), ((garbage + garbage)[...], [0]), ([], [0]),
            (fixture.bytes[...], []),
        ] {
            let before = server.requests.count
            try fixture.write(part, fixture.part)
            try fixture.fetch([server.url("/x")])
            #expect(fixture.isWhole)
            #expect(server.requests.dropFirst(before).map(\.start) == starts)
            fixture.clear()
        }
    }

    @Test func whatIsThereAlreadyIsNotFetched() throws {
        let fixture = try Fixture(size: Self.size)
        let server = try fixture.server()
        defer { server.stop() }
        try fixture.write(fixture.bytes, fixture.file)
        var last: DownloadProgress?
        try fixture.fetch([server.url("/x")], progress: { last = $0 })
        #expect(server.requests.isEmpty)
        #expect(last?.received == Self.size)
        // Another file of that name is replaced.
        var other = fixture.bytes
        other[0] ^= 1
        try fixture.write(other, fixture.file)
        try fixture.fetch([server.url("/x")])
        #expect(server.requests.count == 1)
        #expect(fixture.isWhole)
    }

    @Test(arguments: ["a link", "a hard link", "a pipe", "a folder", "a lock", "no folder"])
    func whatIsInTheWay(_ what: String) throws {
        let fixture = try Fixture(size: Self.size)
        let server = try fixture.server()
        defer { server.stop() }
        let other = fixture.folder.path + "/other"
        try fixture.write([1, 2, 3], other)
        var held: Int32 = -1
        switch what {
        case "a link": symlink(other, fixture.part)
        case "a hard link": link(other, fixture.part)
        case "a pipe": mkfifo(fixture.part, 0o600)
        case "a folder": mkdir(fixture.part, 0o700)
        case "a lock":
            held = open(fixture.part, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
            flock(held, LOCK_EX)
        default: try FileManager.default.removeItem(atPath: fixture.folder.path)
        }
        let failure = try #require(fixture.failure([server.url("/x")]))
        #expect(failure.code == .inputOutput, "\(failure)")
        #expect(failure.message.contains(fixture.part))
        #expect(server.requests.isEmpty)
        if what != "no folder" { #expect(fixture.contents(other) == [1, 2, 3]) }
        if held >= 0 { close(held) }
    }
}
