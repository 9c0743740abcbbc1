import Testing
import WebSocket

@Suite struct FrameTests {
    @Test func theExamplesOfTheRFC() {
        // Section 5.7.
        #expect(receive([0x81, 0x85, 0x37, 0xFA, 0x21, 0x3D, 0x7F, 0x9F, 0x4D, 0x51, 0x58]) == [.text("Hello")])
        #expect(receive([0x81, 0x05, 0x48, 0x65, 0x6C, 0x6C, 0x6F], role: .client) == [.text("Hello")])
        #expect(
            receive([0x01, 0x03, 0x48, 0x65, 0x6C, 0x80, 0x02, 0x6C, 0x6F], role: .client) == [.text("Hello")])
        #expect(receive([0x89, 0x05, 0x48, 0x65, 0x6C, 0x6C, 0x6F], role: .client) == [.ping(Array("Hello".utf8))])
    }

    @Test func maskingMustFitTheRole() {
        #expect(receive([0x81, 0x00]) == [.failure(1002)])
        #expect(receive([0x81, 0x80, 1, 2, 3, 4], role: .client) == [.failure(1002)])
    }

    @Test(
        arguments: [
            ([0x82, 0xFE, 0x00, 0x7D], 1002), ([0x82, 0xFE, 0x00, 0x00], 1002),
            ([0x82, 0xFF, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF], 1002), ([0x82, 0xFF, 0, 0, 0, 0, 0, 0, 0, 1], 1002),
            ([0x82, 0xFF, 0x80], 1002), ([0x82, 0xFF, 0x7F, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF], 1009),
            ([0x82, 0xFF, 0, 0, 0, 0, 0, 0x80, 0, 1], 1009), ([0x89, 0xFE], 1002), ([0x88, 0xFF], 1002), ([0x83], -1),
        ] as [([UInt8], Int)])
    func headersThatAreRefused(bytes: [UInt8], code: Int) {
        // A reserved opcode is refused by its first octet; -1 marks that case.
        #expect(receive(bytes) == [.failure(UInt16(code < 0 ? 1002 : code))])
    }

    @Test func limits() {
        let limits = WebSocketLimits(frameBytes: 100, messageBytes: 150, framesPerMessage: 3)
        let hundred = [UInt8](repeating: 0, count: 100)
        #expect(receive([.binary(hundred)], limits: limits) == [.binary(hundred)])
        #expect(receive([.binary(hundred + [0])], limits: limits) == [.failure(1009)])
        #expect(receive([.binary(hundred, final: false), .more(hundred)], limits: limits) == [.failure(1009)])
        let four = [Frame.binary([], final: false), .more(""), .more(""), .more("", final: true)]
        #expect(receive(four, limits: limits) == [.failure(1008)])
        // Refused by the header alone, before any payload has come.
        #expect(receive([0x82, 0xFE, 0x00, 0xC8], limits: limits) == [.failure(1009)])
        // Control frames are not data: they pass beside a full message.
        let beside = [Frame.binary(hundred, final: false), .ping(hundred), .more("", final: true)]
        #expect(receive(beside, limits: limits) == [.ping(hundred), .binary(hundred)])
    }

    @Test func aFailureStays() {
        var assembler = WebSocketMessageAssembler(role: .server)
        for piece in [[0x83], Frame.text("x").bytes] as [[UInt8]] {
            piece.withUnsafeBytes { bytes in
                var input = bytes
                #expect(throws: WebSocketFailure.self) { try assembler.next(&input) }
            }
        }
    }

    @Test func idleBetweenMessagesOnly() throws {
        var assembler = WebSocketMessageAssembler(role: .server)
        func give(_ bytes: [UInt8]) throws -> WebSocketMessageAssembler.Event? {
            try bytes.withUnsafeBytes { buffer in
                var input = buffer
                return try assembler.next(&input)
            }
        }
        #expect(assembler.isIdle)
        #expect(try give([0x01]) == nil)
        #expect(!assembler.isIdle)
        #expect(try give([0x80, 0, 0, 0, 0]) == nil)
        #expect(!assembler.isIdle)
        #expect(try give([0x80, 0x80, 0, 0, 0, 0]) == .text([]))
        #expect(assembler.isIdle)
    }

    @Test(arguments: [nil, 0, 1, 0x1234_5678, 0xFFFF_FFFF] as [UInt32?])
    func encodedFramesCanBeRead(key: UInt32?) {
        var random = FixedRandom()
        for size in [0, 1, 2, 3, 4, 7, 8, 9, 15, 16, 17, 31, 33, 125, 126, 127, 1000, 65535, 65536] {
            let payload = random.bytes(size)
            var output: [UInt8] = []
            WebSocketFrameEncoder.write(opcode: .binary, payload: payload, maskKey: key, into: &output)
            #expect(output == Frame(opcode: 2, payload: payload, key: key).bytes)
            let header = WebSocketFrameEncoder.headerCount(payloadCount: size, isMasked: key != nil)
            #expect(output.count == header + size)
        }
    }

    @Test func maskingInPiecesIsMaskingInOne() {
        var random = FixedRandom()
        let payload = random.bytes(100)
        for key in [0x0102_0304, 0xA5B6_C7D8] as [UInt32] {
            var whole: [UInt8] = []
            payload.withUnsafeBytes { WebSocketMask.append($0, key: key, phase: 0, to: &whole) }
            for cut in 0...100 {
                var halves: [UInt8] = []
                payload[..<cut].withUnsafeBytes { WebSocketMask.append($0, key: key, phase: 0, to: &halves) }
                payload[cut...].withUnsafeBytes { WebSocketMask.append($0, key: key, phase: cut, to: &halves) }
                #expect(halves == whole)
            }
        }
    }

    @Test func closeFrames() {
        func close(_ code: WebSocketCloseCode?, _ reason: String = "") -> [Outcome] {
            var output: [UInt8] = []
            WebSocketFrameEncoder.writeClose(code, reason: reason, into: &output)
            return receive(output, role: .client)
        }
        #expect(close(.goingAway, "bye") == [.close(1001, "bye")])
        #expect(close(nil, "bye") == [.close(nil, "")])
        #expect(close(WebSocketCloseCode(rawValue: 1005)) == [.close(nil, "")])
        // Cut before the character that doesn't fit.
        #expect(close(.normal, String(repeating: "é", count: 70)) == [.close(1000, String(repeating: "é", count: 61))])
    }

    @Test func aControlFrameIsCutToItsLimit() {
        var output: [UInt8] = []
        WebSocketFrameEncoder.write(opcode: .ping, payload: [UInt8](repeating: 1, count: 200), into: &output)
        #expect(receive(output, role: .client) == [.ping([UInt8](repeating: 1, count: 125))])
    }

    /// Random streams of right and wrong frames, cut at random.
    @Test func anySplitGivesTheSameEvents() {
        var random = FixedRandom()
        let agreement = PerMessageDeflate.Agreement()
        let deflater = Deflater(keepsContext: true)
        for _ in 0..<300 {
            var bytes: [UInt8] = []
            for _ in 0..<Int.random(in: 1...6, using: &random) {
                let payload = random.bytes(Int.random(in: 0...200, using: &random))
                switch Int.random(in: 0...9, using: &random) {
                case 0: bytes += Frame.ping(Array(payload.prefix(125))).bytes
                case 1: bytes += Frame.binary(payload, final: false).bytes
                case 2, 3: bytes += Frame.more(payload, final: true).bytes
                case 4: bytes += Frame(opcode: 1, payload: payload.map { $0 & 0x7F }).bytes
                case 5: bytes += Frame(opcode: 1, payload: payload).bytes
                case 6: bytes += random.bytes(4)
                default:
                    WebSocketFrameEncoder.writeMessage(
                        opcode: .binary, payload: payload, deflater: deflater, maskKey: 0x1234_5678, into: &bytes)
                }
            }
            var consumed = 0
            let whole = receive(pieces: [bytes], compression: agreement, consumed: &consumed)
            for size in [1, 2, 3, 7, 50] {
                let cut = receive(pieces: chop(bytes, every: size), compression: agreement, consumed: &consumed)
                #expect(cut == whole)
            }
        }
    }
}
