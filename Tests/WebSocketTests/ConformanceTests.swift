import Testing
import WebSocket

/// Follows the Autobahn test suite's case groups at the level of the codec; numbers are its case numbers.
@Suite struct ConformanceTests {
    static let sizes = [0, 1, 125, 126, 127, 128, 65535, 65536]

    // 1: framing

    @Test(arguments: sizes) func case1Text(size: Int) {
        let text = String(repeating: "*", count: size)
        #expect(receive([.text(text)]) == [.text(text)])
    }

    @Test(arguments: sizes) func case1Binary(size: Int) {
        let payload = [UInt8](repeating: 0xFE, count: size)
        #expect(receive([.binary(payload)]) == [.binary(payload)])
    }

    // 2: pings and pongs

    @Test func case2() {
        #expect(receive([.ping()]) == [.ping([])])
        #expect(receive([.ping("Hello, world!")]) == [.ping(Array("Hello, world!".utf8))])
        let binary: [UInt8] = [0x00, 0xFF, 0xFE, 0xFD, 0xFC, 0xFB, 0x00, 0xFF]
        #expect(receive([.ping(binary)]) == [.ping(binary)])
        let longest = [UInt8](repeating: 0xFE, count: 125)
        #expect(receive([.ping(longest)]) == [.ping(longest)])
        #expect(receive([.ping([UInt8](repeating: 0xFE, count: 126))]) == [.failure(1002)])
        #expect(receive([.pong(), .pong("x"), .ping("y")]) == [.pong([]), .pong([0x78]), .ping([0x79])])
        let ten = (0..<10).map { Frame.ping("payload-\($0)") }
        #expect(receive(ten) == (0..<10).map { .ping(Array("payload-\($0)".utf8)) })
    }

    // 3: reserved bits

    @Test(arguments: 1...7) func case3(rsv: UInt8) {
        for opcode: UInt8 in [1, 2, 8, 9, 10] {
            var frame = Frame(opcode: opcode, payload: opcode == 8 ? [3, 232] : [0x2A])
            frame.rsv = rsv
            #expect(receive([.text("a"), frame, .ping()]) == [.text("a"), .failure(1002)])
        }
    }

    // 4: reserved opcodes

    @Test(arguments: [3, 4, 5, 6, 7, 11, 12, 13, 14, 15] as [UInt8]) func case4(opcode: UInt8) {
        for payload in [[], [0x2A]] as [[UInt8]] {
            let frame = Frame(opcode: opcode, payload: payload)
            #expect(receive([.text("a"), frame, .ping()]) == [.text("a"), .failure(1002)])
        }
    }

    // 5: fragmentation

    struct Fragmentation: Sendable, CustomTestStringConvertible {
        let name: String
        let frames: [Frame]
        let expected: [Outcome]
        init(_ name: String, _ frames: [Frame], _ expected: [Outcome]) {
            (self.name, self.frames, self.expected) = (name, frames, expected)
        }
        var testDescription: String { name }
    }

    static let f1 = Frame.text("fragment1", final: false)
    static let f2 = Frame.more("fragment2", final: true)
    static let m = Frame.more("fragment2")
    static let joined = Outcome.text("fragment1fragment2")
    static let ping = Outcome.ping(Array("ping".utf8))

    @Test(arguments: [
        Fragmentation(
            "5.1", [Frame(opcode: 9, payload: [1], isFinal: false), .more("x", final: true)], [.failure(1002)]),
        Fragmentation(
            "5.2", [Frame(opcode: 10, payload: [1], isFinal: false), .more("x", final: true)], [.failure(1002)]),
        Fragmentation("5.3, 5.4, 5.5", [f1, f2], [joined]),
        Fragmentation("5.6, 5.7, 5.8", [f1, .ping("ping"), f2], [ping, joined]),
        Fragmentation("5.9, 5.10, 5.11", [.more("x", final: true), .text("y")], [.failure(1002)]),
        Fragmentation("5.12, 5.13, 5.14", [.more("x"), .text("y")], [.failure(1002)]),
        Fragmentation("5.15", [f1, f2, .more("fragment3"), .text("fragment4")], [joined, .failure(1002)]),
        Fragmentation(
            "5.16", [.more("x"), .text("y", final: false), .more("z", final: true)], [.failure(1002)]),
        Fragmentation(
            "5.17", [.more("x", final: true), .text("y", final: false), .more("z", final: true)], [.failure(1002)]),
        Fragmentation("5.18", [f1, .text("fragment2")], [.failure(1002)]),
        Fragmentation(
            "5.19, 5.20",
            [
                f1, m, .ping("ping"), .more("fragment3"), .more("fragment4"), .ping("ping"),
                .more("fragment5", final: true),
            ],
            [ping, ping, .text("fragment1fragment2fragment3fragment4fragment5")]),
        Fragmentation("empty fragments", [.text("", final: false), .more(""), .more("", final: true)], [.text("")]),
        Fragmentation(
            "binary", [.binary([1], final: false), .more([2]), .more([3], final: true)], [.binary([1, 2, 3])]),
    ])
    func case5(_ item: Fragmentation) {
        #expect(receive(item.frames) == item.expected)
    }

    // 7: close handling

    @Test func case7_1() {
        #expect(receive([.text("a"), .close(1000)]) == [.text("a"), .close(1000, "")])
        // After a close frame nothing counts, not even what would be an error.
        #expect(receive([.close(1000), .text("b"), .close(1000), .ping()]) == [.close(1000, "")])
        #expect(receive([.close(1000)].bytes + [0xFF, 0xFF]) == [.close(1000, "")])
        #expect(receive([.text("a", final: false), .close(1000), .more("b", final: true)]) == [.close(1000, "")])
    }

    @Test func case7_3() {
        #expect(receive([.close([])]) == [.close(nil, "")])
        #expect(receive([.close([3])]) == [.failure(1002)])
        #expect(receive([.close(1000, "Hello World!")]) == [.close(1000, "Hello World!")])
        let longest = String(repeating: "*", count: 123)
        #expect(receive([.close(1000, longest)]) == [.close(1000, longest)])
        #expect(receive([.close(1000, longest + "*")]) == [.failure(1002)])
    }

    @Test func case7_5() {
        let surrogate: [UInt8] = [3, 232, 0xCE, 0xBA, 0xED, 0xA0, 0x80, 0x65]
        #expect(receive([.close(surrogate)]) == [.failure(1007)])
        #expect(receive([.close([3, 232, 0xCE])]) == [.failure(1007)])
    }

    @Test(arguments: [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3999, 4000, 4999])
    func case7_7(code: UInt16) {
        #expect(receive([.close(code)]) == [.close(code, "")])
    }

    @Test(arguments: [0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535])
    func case7_9and13(code: UInt16) {
        #expect(receive([.close(code)]) == [.failure(1002)])
    }

    // 9 and 10: large messages

    @Test(arguments: [64 << 10, 256 << 10, 1 << 20])
    func case9(size: Int) {
        let payload = [UInt8](repeating: 0x2A, count: size)
        let text = Outcome.text(String(decoding: payload, as: UTF8.self))
        #expect(receive([Frame(opcode: 1, payload: payload)]) == [text])
        for fragment in [1024, 64 << 10] {
            let parts = chop(payload, every: fragment)
            var frames = parts.map { Frame.more($0) }
            frames[0].opcode = 1
            frames[frames.count - 1].isFinal = true
            #expect(receive(frames) == [text])
        }
    }

    @Test func case10() {
        let payload = [UInt8](repeating: 0x2A, count: 65536)
        var frames = chop(payload, every: 1300).map { Frame.more($0) }
        frames[0].opcode = 1
        frames[frames.count - 1].isFinal = true
        #expect(receive(frames) == [.text(String(decoding: payload, as: UTF8.self))])
    }
}
