import Testing
import WebSocket

@Suite struct DeflateTests {
    static let both = PerMessageDeflate.Agreement()
    static let fresh = PerMessageDeflate.Agreement(serverNoContextTakeover: true, clientNoContextTakeover: true)

    static func compressed(_ payload: [UInt8], opcode: UInt8 = 1, final isFinal: Bool = true) -> Frame {
        Frame(opcode: opcode, payload: payload, isFinal: isFinal, rsv: 4)
    }

    @Test func ofTwoFaultsTheEarlierOneCounts() {
        // No text from its first octet on, and later more than the limit: found by fuzzing.
        let limits = WebSocketLimits(frameBytes: 4096, messageBytes: 4096)
        var bytes: [UInt8] = []
        WebSocketFrameEncoder.writeMessage(
            opcode: .text, payload: [0xFF] + [UInt8](repeating: 0x61, count: 10_000), deflater: Deflater(),
            maskKey: 0x1234_5678, into: &bytes)
        #expect(receive(bytes, limits: limits, compression: Self.both) == [.failure(1007)])
    }

    @Test func theExamplesOfTheRFC() {
        // RFC 7692 section 7.2.3.
        let hello: [UInt8] = [0xF2, 0x48, 0xCD, 0xC9, 0xC9, 0x07, 0x00]
        #expect(receive([Self.compressed(hello)].bytes, compression: Self.both) == [.text("Hello")])
        let split = [
            Self.compressed(Array(hello.prefix(3)), final: false), .more(Array(hello.dropFirst(3)), final: true),
        ]
        #expect(receive(split.bytes, compression: Self.both) == [.text("Hello")])
        // The second refers to the first.
        let second: [UInt8] = [0xF2, 0x00, 0x11, 0x00, 0x00]
        let two = [Self.compressed(hello), Self.compressed(second)].bytes
        #expect(receive(two, compression: Self.both) == [.text("Hello"), .text("Hello")])
        #expect(receive(two, compression: Self.fresh) == [.text("Hello"), .failure(1007)])
        // A stored block.
        let stored: [UInt8] = [0x00, 0x05, 0x00, 0xFA, 0xFF, 0x48, 0x65, 0x6C, 0x6C, 0x6F, 0x00]
        #expect(receive([Self.compressed(stored)].bytes, compression: Self.both) == [.text("Hello")])
        // A final block, with the octet that must follow it and without.
        let final: [UInt8] = [0xF3, 0x48, 0xCD, 0xC9, 0xC9, 0x07, 0x00]
        #expect(receive([Self.compressed(final + [0x00])].bytes, compression: Self.both) == [.text("Hello")])
        #expect(receive([Self.compressed(final)].bytes, compression: Self.both) == [.text("Hello")])
        // Context goes on across a final block.
        let across = [Self.compressed(final + [0x00]), Self.compressed(second)].bytes
        #expect(receive(across, compression: Self.both) == [.text("Hello"), .text("Hello")])
        // Two blocks in one message.
        let blocks: [UInt8] = [0xF2, 0x48, 0x05, 0x00, 0x00, 0x00, 0xFF, 0xFF, 0xCA, 0xC9, 0xC9, 0x07, 0x00]
        #expect(receive([Self.compressed(blocks)].bytes, compression: Self.both) == [.text("Hello")])
    }

    @Test func emptyMessages() {
        for payload in [[0x00], [], [0x02, 0x00]] as [[UInt8]] {
            #expect(receive([Self.compressed(payload)].bytes, compression: Self.both) == [.text("")])
        }
        var output: [UInt8] = []
        #expect(Deflater().compress([], into: &output))
        #expect(output == [0x00])
    }

    @Test func uncompressedMessagesMayStandBetween() {
        let hello: [UInt8] = [0xF2, 0x48, 0xCD, 0xC9, 0xC9, 0x07, 0x00]
        let frames = [Frame.text("plain"), Self.compressed(hello), .text("plain")]
        #expect(receive(frames.bytes, compression: Self.both) == [.text("plain"), .text("Hello"), .text("plain")])
    }

    @Test func reservedBits() {
        #expect(receive([Self.compressed([0x00])].bytes) == [.failure(1002)])
        let more = Frame(opcode: 0, payload: [0], rsv: 4)
        let frames = [Self.compressed([0x00], final: false), more]
        #expect(receive(frames.bytes, compression: Self.both) == [.failure(1002)])
        #expect(receive([Frame(opcode: 9, payload: [], rsv: 4)].bytes, compression: Self.both) == [.failure(1002)])
        #expect(receive([Frame(opcode: 1, payload: [], rsv: 6)].bytes, compression: Self.both) == [.failure(1002)])
    }

    @Test(
        arguments: [
            [0xFF, 0xFF, 0xFF], [0x06], [0xF2, 0x48, 0xCD, 0xC9], [0x00, 0x05, 0x00, 0xFA],
            [0x00, 0x05, 0x00, 0x00, 0x00],
            [0xF2, 0x00, 0x11, 0x00, 0x00],
        ] as [[UInt8]])
    func corruptData(payload: [UInt8]) {
        #expect(receive([Self.compressed(payload, opcode: 2)].bytes, compression: Self.both) == [.failure(1007)])
    }

    @Test func textIsCheckedAfterInflating() {
        var payload: [UInt8] = []
        #expect(Deflater().compress([0x61, 0xED, 0xA0, 0x80], into: &payload))
        #expect(receive([Self.compressed(payload)].bytes, compression: Self.both) == [.failure(1007)])
        payload = []
        #expect(Deflater().compress([0x61, 0xCE], into: &payload))
        #expect(receive([Self.compressed(payload)].bytes, compression: Self.both) == [.failure(1007)])
    }

    @Test func aBombStopsAtTheLimit() {
        var bomb: [UInt8] = []
        #expect(Deflater(settings: .init(level: 9)).compress([UInt8](repeating: 0, count: 16 << 20), into: &bomb))
        let limits = WebSocketLimits(messageBytes: 1 << 20)
        let frames = [Self.compressed(bomb, opcode: 2)].bytes
        #expect(receive(frames, limits: limits, compression: Self.both) == [.failure(1009)])
        // By itself: it ends within the limit and one step.
        var output: [UInt8] = []
        #expect(throws: Inflater.Failure.tooLong) {
            try bomb.withUnsafeBytes { try Inflater().inflate($0, into: &output, limit: 1000) }
        }
        #expect(output.count <= 1001)
    }

    @Test func theLimitIsExact() throws {
        let payload = [UInt8](repeating: 7, count: 5000)
        var compressed: [UInt8] = []
        #expect(Deflater().compress(payload, into: &compressed))
        for (limit, fits) in [(5000, true), (4999, false), (5001, true)] {
            let outcome = receive(
                [Self.compressed(compressed, opcode: 2)].bytes, limits: WebSocketLimits(messageBytes: limit),
                compression: Self.both)
            #expect(outcome == (fits ? [.binary(payload)] : [.failure(1009)]))
        }
    }

    /// Autobahn's groups 12 and 13: sizes and parameters, over data of several kinds.
    @Test(arguments: [
        (15, 8, true), (15, 8, false), (9, 1, true), (9, 8, false), (12, 9, true), (8, 1, false),
    ])
    func roundTrips(windowBits: Int, memoryLevel: Int, keepsContext: Bool) {
        let settings = Deflater.Settings(level: 6, windowBits: windowBits, memoryLevel: memoryLevel)
        var agreement = PerMessageDeflate.Agreement()
        agreement.clientNoContextTakeover = !keepsContext
        agreement.clientMaxWindowBits = max(9, windowBits)
        var random = FixedRandom()
        let json = Array(#"{"type":"stream:chunk","sessionId":"s1","payload":{"delta":true,"offset":12345}},"#.utf8)
        for size in [16, 64, 256, 1024, 4096, 8192, 16384, 32768, 65536, 131072] {
            let text = Array(repeating: json, count: size / json.count + 1).flatMap { $0 }.prefix(size)
            for payload in [random.bytes(size), Array(text), [UInt8](repeating: 0xFE, count: size)] {
                let deflater = Deflater(settings: settings, keepsContext: keepsContext)
                var stream: [UInt8] = []
                for _ in 0..<2 {
                    WebSocketFrameEncoder.writeMessage(
                        opcode: .binary, payload: payload, deflater: deflater, threshold: 1, maskKey: 0x0A0B_0C0D,
                        into: &stream)
                }
                #expect(receive(stream, compression: agreement) == [.binary(payload), .binary(payload)])
            }
        }
    }

    @Test(arguments: [9, 10, 15])
    func contextIsKeptOverManyMessages(windowBits: Int) throws {
        let deflater = Deflater(settings: .init(level: 6, windowBits: windowBits), keepsContext: true)
        var agreement = PerMessageDeflate.Agreement()
        agreement.serverMaxWindowBits = windowBits
        var random = FixedRandom()
        var stream: [UInt8] = []
        var sent: [Outcome] = []
        for index in 0..<200 {
            let payload =
                index % 5 == 0 ? random.bytes(700) : Array("message number \(index % 7) of a long talk".utf8)
            sent.append(.binary(payload))
            WebSocketFrameEncoder.writeMessage(
                opcode: .binary, payload: payload, deflater: deflater, threshold: 1, into: &stream)
        }
        #expect(receive(stream, role: .client, compression: agreement) == sent)
    }

    @Test func fragmentedAtEveryPlace() {
        var payload: [UInt8] = []
        let text = "a compressed message, cut into two frames at every place there is, with a ping between"
        #expect(Deflater().compress(Array(text.utf8), into: &payload))
        for cut in 0...payload.count {
            let frames = [
                Self.compressed(Array(payload[..<cut]), final: false), .ping("p"),
                .more(Array(payload[cut...]), final: true),
            ]
            #expect(receive(frames.bytes, compression: Self.fresh) == [.ping([0x70]), .text(text)])
        }
    }

    @Test func oneFrameServesAllWithoutContext() {
        let deflater = Deflater()
        let payload = [UInt8](repeating: 0x61, count: 500)
        var first: [UInt8] = []
        var second: [UInt8] = []
        WebSocketFrameEncoder.writeMessage(opcode: .text, payload: payload, deflater: deflater, into: &first)
        WebSocketFrameEncoder.writeMessage(opcode: .text, payload: payload, deflater: deflater, into: &second)
        #expect(first == second)
        #expect(first.count < 30)
        // A client that agreed to server context can read frames that use none.
        let text = Outcome.text(String(decoding: payload, as: UTF8.self))
        #expect(receive(first + second, role: .client, compression: Self.both) == [text, text])
    }

    @Test func smallAndIncompressibleMessagesStayAsTheyAre() {
        var random = FixedRandom()
        let noise = random.bytes(300)
        for payload in [Array("short".utf8), noise] {
            var output: [UInt8] = []
            WebSocketFrameEncoder.writeMessage(opcode: .binary, payload: payload, deflater: Deflater(), into: &output)
            #expect(output[0] == 0x82)
        }
    }

    @Test func manyFinalBlocksAreCheapToRead() {
        // Each pair of octets is a final block; restarting must not cost a window's copy each time.
        let payload = Array(repeating: [0x03, 0x00] as [UInt8], count: 500_000).flatMap { $0 }
        var consumed = 0
        let bytes = [Self.compressed(payload, opcode: 2)].bytes
        let outcome = receive(pieces: [bytes], compression: Self.both, consumed: &consumed)
        #expect(outcome == [.binary([])])
    }
}
