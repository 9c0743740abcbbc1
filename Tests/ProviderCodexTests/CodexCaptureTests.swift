import Base
import Foundation
import JSON
import ProviderCodex
import Providers
import Testing

struct CodexCaptureTests {
    @Test func capturesAreThere() {
        #expect(CodexCapture.all.count >= 6)
    }

    @Test("Nothing in a capture is without a place in the schema", arguments: CodexCapture.all)
    func noCustom(_ capture: CodexCapture) {
        for event in capture.play() {
            if case .custom(let type, let data) = event { Issue.record("custom \(type): \(data)") }
        }
    }

    /// To write them anew: CODEAI_HUB_RECORD_GOLDEN=Tests/ProviderCodexTests/Fixtures/golden
    @Test("The events are exactly those of the golden file", arguments: CodexCapture.all)
    func golden(_ capture: CodexCapture) throws {
        // resetsAt lies in the past or the future of whoever runs this: the countdown is not part of it.
        let lines = capture.play().map { describe($0).replacing(#/"retryAfter":[0-9.e+]+/#, with: #""retryAfter":0"#) }
        if let folder = ProcessInfo.processInfo.environment["CODEAI_HUB_RECORD_GOLDEN"] {
            try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
            try (lines.joined(separator: "\n") + "\n")
                .write(toFile: "\(folder)/\(capture.name).txt", atomically: true, encoding: .utf8)
            return
        }
        let file = CodexCapture.folder.appendingPathComponent("golden/\(capture.name).txt")
        let expected = try String(contentsOf: file, encoding: .utf8).split(separator: "\n").map(String.init)
        for (index, pair) in zip(lines, expected).enumerated() where pair.0 != pair.1 {
            Issue.record("event \(index): got \(pair.0)\nexpected \(pair.1)")
            return
        }
        #expect(lines.count == expected.count)
    }

    @Test("Each turn ends once", arguments: CodexCapture.all)
    func turnsEndOnce(_ capture: CodexCapture) {
        let ends = capture.outputLines.count {
            (try? JSON.parse($0))?["method"]?.stringValue == "turn/completed"
        }
        let completed = capture.play().count { if case .turnCompleted = $0 { true } else { false } }
        #expect(completed == ends)
    }

    @Test("Every streamed item is closed by an event with the same id", arguments: CodexCapture.all)
    func chunksAreClosed(_ capture: CodexCapture) {
        var open: [String: String] = [:]
        for event in capture.play() {
            switch event {
            case .chunk(let itemId, _, let text): open[itemId, default: ""] += text
            case .message(let message):
                if let text = open.removeValue(forKey: message.itemId) {
                    // The API's own text may lack a space that its stream ended with.
                    #expect(text.hasPrefix(message.text))
                }
            case .thinking(let itemId, _, let text, _):
                if let sent = open.removeValue(forKey: itemId) { #expect(sent == text) }
            case .toolResult(let result): open[result.itemId] = nil
            default: break
            }
        }
        #expect(open.isEmpty)
    }

    @Test("The turns' tokens add up to the thread's total", arguments: CodexCapture.all)
    func usage(_ capture: CodexCapture) {
        var spent = 0
        for event in capture.play() {
            if case .turnCompleted(let outcome) = event { spent += outcome.usage?.input ?? 0 }
        }
        let totals = capture.outputLines.compactMap { try? JSON.parse($0) }
            .filter { $0["method"]?.stringValue == "thread/tokenUsage/updated" }
            .compactMap { $0["params"]?["tokenUsage"]?["total"]?["inputTokens"]?.intValue }
        // A resumed thread begins with what was used before.
        let before = capture.name == "resume-1" ? totals.first ?? 0 : 0
        #expect(spent == (totals.last ?? 0) - before)
    }

    @Test func lineByLineGarbageNeverTraps() {
        // Every line cut at every 97th byte, and with a byte turned over.
        for capture in CodexCapture.all {
            var decoder = CodexDecoder(threadId: "t", epoch: "e")
            decoder.beginTurn()
            for line in capture.outputLines {
                for cut in stride(from: 0, to: min(line.count, 2000), by: 97) {
                    if let message = CodexMessage.read(Array(line.prefix(cut))) { _ = decoder.decode(message) }
                    var broken = line
                    broken[cut] ^= 0x15
                    if let message = CodexMessage.read(broken) { _ = decoder.decode(message) }
                }
            }
            _ = decoder.end()
        }
    }
}
