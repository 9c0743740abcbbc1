import Downloads
import FaultServer
import Foundation
import TestSupport
import Testing

/// Servers that don't answer as they should. Alone they are an error that says why; with a good one beside them they are
/// none.
@Suite struct ServerFaultTests {
    struct Case: CustomTestStringConvertible, Sendable {
        let testDescription: String
        let code: DownloadError.Code
        let fault: Fault

        init(_ description: String, _ code: DownloadError.Code, _ fault: Fault) {
            (testDescription, self.code, self.fault) = (description, code, fault)
        }

        init(_ description: String, _ code: DownloadError.Code, raw: String) {
            self.init(description, code, Fault { $0.raw = Array(raw.utf8) })
        }
    }

    static let size = 70_000
    static let cases = [
        Case("not there", .absent, Fault { $0.status = 404 }),
        Case("gone", .absent, Fault { $0.status = 410 }),
        Case("forbidden", .refused(status: 403), Fault { $0.status = 403 }),
        Case("broken", .refused(status: 500), Fault { $0.status = 500 }),
        Case("busy", .refused(status: 503), Fault { $0.status = 503 }),
        Case("no content", .badAnswer, Fault { $0.status = 204 }),
        Case("not modified", .refused(status: 304), Fault { $0.status = 304 }),
        Case("a web page", .badAnswer, Fault(text: "html")!),
        Case("compressed", .badAnswer, Fault(text: "gzip")!),
        Case("says less", .wrongSize, Fault { $0.claim = size - 1 }),
        Case("says more", .wrongSize, Fault { $0.claim = size + 1 }),
        Case("says nothing", .wrongSize, Fault { $0.claim = 0 }),
        Case("has more", .wrongSize, Fault { $0.extra = 1 }),
        Case("says and has much more", .wrongSize, Fault { $0.extra = 1 << 22 }),
        Case("one wrong byte", .wrongSum, Fault { $0.flip = 33_333 }),
        Case(
            "wrong without end, in chunks", .wrongSum,
            Fault { ($0.flip, $0.isEndless, $0.framing) = (7, true, .chunked) }),
        Case("wrong without end", .wrongSum, Fault { ($0.flip, $0.isEndless, $0.framing) = (7, true, .close) }),
        Case("always cut at the same place", .unreachable, Fault { ($0.cut, $0.ignoresRanges) = (1000, true) }),
        Case("cut, and no length to notice it", .unreachable, Fault { ($0.cut, $0.framing) = (0, .close) }),
        Case("leads in a circle", .badAnswer, Fault { $0.redirect = "/x" }),
        Case("leads to http elsewhere", .invalidLocation, Fault { $0.redirect = "http://192.0.2.1/x" }),
        Case("leads to a private address", .invalidLocation, Fault { $0.redirect = "//10.0.0.1/x" }),
        Case("leads to a file", .invalidLocation, Fault { $0.redirect = "file:///etc/passwd" }),
        Case("leads nowhere", .badAnswer, raw: "HTTP/1.1 302 Found\r\ncontent-length: 0\r\n\r\n"),
        Case("leads to nonsense", .invalidLocation, Fault { $0.redirect = "ht tp://x" }),
        Case("closes at once", .unreachable, raw: ""),
        Case("another protocol", .badAnswer, raw: "SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n"),
        Case("HTTP/2", .badAnswer, raw: "HTTP/2 200 OK\r\n\r\n"),
        Case("a bare status", .badAnswer, raw: "HTTP/1.1 2000 OK\r\n\r\n"),
        Case("a large head", .badAnswer, raw: "HTTP/1.1 200 OK\r\nx: \(String(repeating: "x", count: 40_000))\r\n\r\n"),
        Case(
            "many fields", .badAnswer,
            raw: "HTTP/1.1 200 OK\r\n" + (0..<200).map { "x\($0): 1\r\n" }.joined() + "\r\n"),
        Case("interim answers", .badAnswer, raw: String(repeating: "HTTP/1.1 100 Continue\r\n\r\n", count: 50)),
        Case("two lengths", .badAnswer, raw: "HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nab"),
        Case(
            "length and chunks", .badAnswer,
            raw: "HTTP/1.1 200 OK\r\ncontent-length: \(size)\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n"),
        Case("a negative length", .badAnswer, raw: "HTTP/1.1 200 OK\r\ncontent-length: -1\r\n\r\n"),
        Case("a bad chunk", .badAnswer, raw: "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\nab\r\n"),
        Case("no chunk", .wrongSize, raw: "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n"),
        Case(
            "a part that nobody asked for", .badAnswer,
            raw: "HTTP/1.1 206 Partial Content\r\ncontent-range: bytes 0-0/\(size)\r\ncontent-length: 1\r\n\r\na"),
        Case("upgrades", .badAnswer, raw: "HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\n\r\n"),
    ]

    @Test(arguments: cases) func alone(_ its: Case) throws {
        let fixture = try Fixture(size: Self.size)
        let server = try fixture.server { _, _ in its.fault }
        defer { server.stop() }
        let failure = try #require(fixture.failure([server.url("/x")]))
        #expect(failure.code == its.code, "\(failure)")
        #expect(failure.message.utf8.allSatisfy { $0 >= 0x20 })
        #expect(fixture.contents(fixture.file) == nil)
        #expect((fixture.contents(fixture.part) ?? []).count <= Self.size)
        #expect(server.requests.count <= 6)
        // Bytes that were thrown away, or never taken.
        if its.code == .wrongSum || its.code == .wrongSize {
            #expect(fixture.contents(fixture.part) == [])
        }
    }

    @Test(arguments: cases) func withAGoodOneBesideIt(_ its: Case) throws {
        let fixture = try Fixture(size: Self.size)
        let server = try fixture.server { request, _ in request.path == "/good" ? nil : its.fault }
        defer { server.stop() }
        #expect(fixture.failure([server.url("/bad"), server.url("/good")]) == nil)
        #expect(fixture.isWhole)
        #expect(server.requests.filter { $0.path == "/good" }.count == 1)
    }

    /// The bytes are right, and that is what counts.
    @Test func moreBehindWhatIsRight() throws {
        let fixture = try Fixture(size: Self.size)
        let server = try fixture.server { _, _ in Fault { ($0.isEndless, $0.framing) = (true, .chunked) } }
        defer { server.stop() }
        try fixture.fetch([server.url("/x")])
        #expect(fixture.isWhole)
    }

    @Test func redirectionsThatAreFollowed() throws {
        let fixture = try Fixture(size: 1000)
        let server = try fixture.server { request, _ in
            Fault {
                if let left = Int(request.path.dropFirst()), left > 0 {
                    $0.redirect = "../\(left - 1)?key=secret"
                    $0.status = [301, 302, 303, 307, 308][left - 1]
                }
            }
        }
        defer { server.stop() }
        try fixture.fetch([server.url("/5")])
        #expect(fixture.isWhole)
        #expect(server.requests.map(\.path) == ["/5", "/4", "/3", "/2", "/1", "/0"])
    }

    @Test func nobodyThere() throws {
        let fixture = try Fixture(size: 1000)
        let server = try fixture.server()
        server.stop()
        let failure = try #require(fixture.failure([server.url("/x")]))
        #expect(failure.code == .unreachable)
        #expect(failure.message == "127.0.0.1:\(server.port) can't be reached: Connection refused")
    }

    /// However long a name server takes, and whether there is one.
    @Test func aNameThatNobodyHas() throws {
        let fixture = try Fixture(size: 1000)
        fixture.limits.connectTimeout = .seconds(1)
        let start = ContinuousClock.now
        let failure = try #require(fixture.failure(["https://nobody-has-this-name.invalid/x"]))
        #expect(failure.code == .unreachable || failure.code == .timeout)
        #expect(failure.message.contains("nobody-has-this-name.invalid"))
        #expect(.now - start < .seconds(20))
    }

    /// A listener whose queue is full doesn't even refuse.
    @Test func aConnectionThatIsNeverAccepted() throws {
        let fixture = try Fixture(size: 1000)
        let full = try FullListener()
        (fixture.limits.connectTimeout, fixture.limits.attempts) = (.milliseconds(300), 1)
        #expect(fixture.failure(["http://127.0.0.1:\(full.port)/x"])?.code == .timeout)
        let server = try fixture.server()
        defer { server.stop() }
        #expect(fixture.failure(["http://127.0.0.1:\(full.port)/x", server.url("/x")]) == nil)
    }

    @Test(arguments: ["delay=60000", "stall=0", "stall=5000", "stall=5000;chunked", "stall=5000;close"])
    func silence(fault: String) throws {
        let fixture = try Fixture(size: Self.size)
        let server = try fixture.server()
        defer { server.stop() }
        fixture.limits.attempts = 1
        (fixture.limits.answerTimeout, fixture.limits.stallTimeout) = (.milliseconds(300), .milliseconds(300))
        #expect(fixture.failure([server.url("/~\(fault)/x")])?.code == .timeout)
        // What came before the silence is there, and is gone on with.
        let kept = fault.contains("5000") && !fault.contains("delay") ? 5000 : 0
        #expect(fixture.contents(fixture.part)?.count == kept)
        (fixture.limits.answerTimeout, fixture.limits.stallTimeout) = (.seconds(30), .seconds(30))
        try fixture.fetch([server.url("/x")])
        #expect(server.requests.last?.start == kept)
        #expect(fixture.isWhole)
    }

    /// Whoever sends a byte now and then isn't silent, but has to come to an end of the head all the same.
    @Test func aHeadThatDribbles() throws {
        let fixture = try Fixture(size: 100)
        let listener = LoopbackHTTP { _, peer in
            while peer.write("x"), peer.waits(0.02) {}
            return false
        }
        defer { listener.stop() }
        (fixture.limits.answerTimeout, fixture.limits.attempts) = (.milliseconds(400), 1)
        let start = ContinuousClock.now
        #expect(fixture.failure(["http://127.0.0.1:\(listener.port)/x"]) != nil)
        #expect(.now - start < .seconds(10))
    }

    @Test func smallThingsThatAreTooLarge() throws {
        let fixture = try Fixture(size: 1000)
        let server = try fixture.server()
        defer { server.stop() }
        let downloader = Downloader(limits: fixture.limits, userAgent: "test/1", environment: [:])
        for fault in ["chunked", "close", "chunked;endless", "close;endless", "claim=5000000000", "extra=1"] {
            let location = try Location(server.url("/~\(fault)/x"))
            let error = #expect(throws: DownloadError.self) { try downloader.fetch(location, limit: 999) }
            #expect(error?.code == .tooLarge, "\(fault): \(String(describing: error))")
        }
        for (fault, code) in [
            ("cut=10", DownloadError.Code.unreachable), ("html", .badAnswer), ("status=404", .absent),
        ] {
            let location = try Location(server.url("/~\(fault)/x"))
            let error = #expect(throws: DownloadError.self) { try downloader.fetch(location, limit: 1000) }
            #expect(error?.code == code, "\(fault): \(String(describing: error))")
        }
        #expect(try downloader.fetch(Location(server.url("/x")), limit: 1000) == fixture.bytes)
    }
}

/// A port whose queue of connections is full, so that nothing answers.
final class FullListener {
    let port: UInt16
    private let listener: Int32
    private var callers: [Int32] = []

    init() throws {
        listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        var callers: [Int32] = []
        let listener = listener
        let isOpen = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
                guard bind(listener, address, length) == 0, listen(listener, 0) == 0,
                    getsockname(listener, address, &length) == 0
                else { return false }
                for _ in 0..<4 {
                    let kind = Int32(SOCK_STREAM.rawValue) | Int32(SOCK_NONBLOCK.rawValue)
                    let caller = socket(AF_INET, kind, 0)
                    _ = connect(caller, address, length)
                    callers.append(caller)
                }
                return true
            }
        }
        self.callers = callers
        port = UInt16(bigEndian: address.sin_port)
        guard isOpen else { throw TestFailure("cannot listen: \(errno)") }
    }

    deinit { for socket in callers + [listener] { close(socket) } }
}
