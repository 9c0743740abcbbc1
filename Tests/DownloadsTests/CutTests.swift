import Downloads
import FaultServer
import Foundation
import TestSupport
import Testing

/// Connections that end too early, wherever that is.
@Suite struct CutTests {
    /// The first process is left with a part, the second one goes on exactly there.
    @Test(arguments: Fault.Framing.allCases) func atEveryByteOfASmallFile(framing: Fault.Framing) throws {
        let fixture = try Fixture(size: 257)
        fixture.limits.attempts = 1
        let server = try fixture.server { request, before in
            Fault {
                $0.framing = framing
                if before == 0 { $0.cut = Int(request.path.dropFirst()) }
            }
        }
        defer { server.stop() }
        for count in 0...fixture.bytes.count {
            let url = server.url("/\(count)")
            let first = fixture.failure([url])
            if count < fixture.bytes.count {
                #expect(first?.code == .unreachable, "\(count)")
                #expect(fixture.contents(fixture.part) == Array(fixture.bytes[..<count]), "\(count)")
                #expect(fixture.failure([url]) == nil, "\(count)")
                #expect(server.requests.last?.start == count)
            } else {
                #expect(first == nil)
            }
            #expect(fixture.isWhole, "\(count)")
            fixture.clear()
        }
    }

    /// A reset may take bytes with it that were on the way. What is there is never wrong.
    @Test func byAResetAtEveryByte() throws {
        let fixture = try Fixture(size: 257)
        let server = try fixture.server { request, before in
            Fault {
                if before == 0 { ($0.cut, $0.resets) = (Int(request.path.dropFirst()), true) }
            }
        }
        defer { server.stop() }
        for count in 0...fixture.bytes.count {
            #expect(fixture.failure([server.url("/\(count)")]) == nil, "\(count)")
            #expect(fixture.isWhole, "\(count)")
            fixture.clear()
        }
    }

    @Test func atEveryByteOfTheHead() throws {
        let fixture = try Fixture(size: 257)
        let server = try fixture.server { request, before in
            Fault { if before == 0 { $0.cutHead = Int(request.path.dropFirst()) } }
        }
        defer { server.stop() }
        for count in 0..<90 {
            #expect(fixture.failure([server.url("/\(count)")]) == nil, "\(count)")
            #expect(server.requests.last?.start == 0)
            #expect(fixture.isWhole, "\(count)")
            fixture.clear()
        }
        #expect(server.requests.count > 150)
    }

    /// Twenty downloads, each cut fifty times. No byte is asked for twice.
    @Test func atAThousandPointsOfALargerFile() throws {
        let seed = UInt64(environmentNumber("DOWNLOAD_SEED", default: Int.random(in: 0...1_000_000)))
        print("download cuts: DOWNLOAD_SEED=\(seed)")
        let fixture = try Fixture(size: 1 << 20)
        fixture.limits.worthwhileBytes = 1
        let server = try fixture.server { request, before in
            guard before < 50 else { return nil }
            var generator = SeededGenerator(seed: seed &+ UInt64(before) &+ UInt64(request.path.dropFirst())! * 100)
            return Fault {
                $0.cut = Int.random(in: 1...40_000, using: &generator)
                $0.framing = Fault.Framing.allCases.randomElement(using: &generator)!
            }
        }
        defer { server.stop() }
        for number in 0..<20 {
            #expect(fixture.failure([server.url("/\(number)")]) == nil, "\(number)")
            #expect(fixture.isWhole)
            fixture.clear()
            let requests = server.requests.filter { $0.path == "/\(number)" }
            let follows = zip(requests, requests.dropFirst()).allSatisfy { $0.start + $0.sent == $1.start }
            #expect(follows, "\(number)")
            #expect(requests.count > 20)
        }
    }
}
