import Base
import Foundation
import JSON
import ProviderClaude
import Providers
import Testing

struct ClaudeCaptureTests {
    @Test func capturesAreThere() {
        #expect(Capture.all.count >= 12)
    }

    @Test("Nothing in a capture is without a place in the schema", arguments: Capture.all)
    func noCustom(_ capture: Capture) {
        for event in capture.play() {
            if case .custom(let type, let data) = event { Issue.record("custom \(type): \(data)") }
        }
    }

    /// To write them anew: CODEAI_HUB_RECORD_GOLDEN=Tests/ProviderClaudeTests/Fixtures/golden
    @Test("The events are exactly those of the golden file", arguments: Capture.all)
    func golden(_ capture: Capture) throws {
        // resetsAt lies in the past or the future of whoever runs this: the countdown is not part of it.
        let lines = capture.play().map { describe($0).replacing(#/"retryAfter":[0-9.e+]+/#, with: #""retryAfter":0"#) }
        if let folder = ProcessInfo.processInfo.environment["CODEAI_HUB_RECORD_GOLDEN"] {
            try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
            try (lines.joined(separator: "\n") + "\n")
                .write(toFile: "\(folder)/\(capture.name).txt", atomically: true, encoding: .utf8)
            return
        }
        let file = Capture.folder.appendingPathComponent("golden/\(capture.name).txt")
        let expected = try String(contentsOf: file, encoding: .utf8).split(separator: "\n").map(String.init)
        for (index, pair) in zip(lines, expected).enumerated() where pair.0 != pair.1 {
            Issue.record("event \(index): got \(pair.0)\nexpected \(pair.1)")
            return
        }
        #expect(lines.count == expected.count)
    }

    @Test("Each turn ends once", arguments: Capture.all)
    func turnsEndOnce(_ capture: Capture) {
        // One capture was cut off within its last turn: what Claude ended is what counts.
        let results = capture.outputLines.count { (try? JSON.parse($0))?["type"]?.stringValue == "result" }
        let events = capture.play()
        let completed = events.count { if case .turnCompleted = $0 { true } else { false } }
        #expect(completed == results)
    }

    @Test("Every streamed item is closed by an event with the same id", arguments: Capture.all)
    func chunksAreClosed(_ capture: Capture) {
        var open: [String: String] = [:]
        for event in capture.play() {
            switch event {
            case .chunk(let itemId, _, let text): open[itemId, default: ""] += text
            case .message(let message):
                if let text = open.removeValue(forKey: message.itemId) { #expect(text == message.text) }
            case .thinking(let itemId, _, let text, _):
                if let sent = open.removeValue(forKey: itemId) { #expect(sent == text) }
            default: break
            }
        }
        #expect(open.isEmpty)
    }

    @Test("However the bytes are cut, the events are the same", arguments: Capture.all)
    func splitIndependence(_ capture: Capture) {
        let bytes: [UInt8] = Array(capture.outputLines.map { $0 + [0x0a] }.joined())
        func events(chunk size: Int) -> [NormalizedEvent] {
            var decoder = ClaudeDecoder()
            var splitter = LineSplitter(limit: 1 << 20)
            var events: [NormalizedEvent] = []
            var start = 0
            while start < bytes.count {
                let end = min(start + size, bytes.count)
                splitter.feed(Array(bytes[start..<end])) { events += decoder.decode($0).events }
                start = end
            }
            return events
        }
        let whole = events(chunk: bytes.count)
        for size in [13, 997, 4096] { #expect(events(chunk: size) == whole) }
    }

    @Test("Costs add up to the running total that Claude reports", arguments: Capture.all)
    func costs(_ capture: Capture) throws {
        var sum = 0.0
        for event in capture.play() {
            if case .turnCompleted(let outcome) = event { sum += outcome.usage?.costUsd ?? 0 }
        }
        let results = capture.outputLines.compactMap { try? JSON.parse($0) }.filter {
            $0["type"]?.stringValue == "result"
        }
        let total = try #require(results.last?["total_cost_usd"]?.doubleValue)
        // A resumed conversation's total includes what it cost before.
        let before =
            capture.name.hasPrefix("resume-1")
            ? try #require(
                Capture.named("resume-0-first").outputLines.compactMap { try? JSON.parse($0) }.last {
                    $0["type"]?.stringValue == "result"
                }?["total_cost_usd"]?.doubleValue) : 0
        #expect(abs(sum + before - total) < 1e-9)
    }

    @Test func lineByLineGarbageNeverTraps() {
        // Every line cut at every 97th byte, and with a byte turned over.
        for capture in Capture.all {
            var decoder = ClaudeDecoder()
            for line in capture.outputLines {
                for cut in stride(from: 0, to: min(line.count, 2000), by: 97) {
                    _ = decoder.decode(Array(line.prefix(cut)))
                    var broken = line
                    broken[cut] ^= 0x15
                    _ = decoder.decode(broken)
                }
            }
            _ = decoder.end()
        }
    }
}
