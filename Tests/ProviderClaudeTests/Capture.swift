import Base
import Foundation
import HubProtocol
import JSON
import ProviderClaude
import Providers
import TestSupport
import Testing

/// A recorded run of the real program: both directions, line by line.
struct Capture: CustomTestStringConvertible {
    enum Step {
        case input(JSON)
        case output(JSON)
    }

    let name: String
    let steps: [Step]

    var testDescription: String { name }

    static let folder = Bundle.module.resourceURL!.appendingPathComponent("Fixtures")

    static let all: [Capture] = {
        let names = try! FileManager.default.contentsOfDirectory(atPath: folder.path)
        return names.filter { $0.hasPrefix("claude-") && $0.hasSuffix(".jsonl") }.sorted().map { Capture($0) }
    }()

    static func named(_ name: String) -> Capture { Capture("claude-\(name).jsonl") }

    private init(_ file: String) {
        name = String(file.dropFirst("claude-".count).dropLast(".jsonl".count))
        let text = try! String(contentsOf: Capture.folder.appendingPathComponent(file), encoding: .utf8)
        steps = text.split(separator: "\n").compactMap { line in
            guard let json = try? JSON.parse(String(line)) else { return nil }
            if let message = json["in"] { return .input(message) }
            if let message = json["out"] { return .output(message) }
            return nil
        }
    }

    /// What the program printed.
    var outputLines: [[UInt8]] {
        steps.compactMap { step in
            if case .output(let json) = step { json.serialize() } else { nil }
        }
    }

    /// Plays it the way the session does: turns begin with our messages, interrupts are announced.
    func play(_ decoder: inout ClaudeDecoder) -> (events: [NormalizedEvent], effects: [ClaudeDecoder.Effect]) {
        var events: [NormalizedEvent] = []
        var effects: [ClaudeDecoder.Effect] = []
        var sent = 0
        for step in steps {
            switch step {
            case .input(let json):
                if json["type"]?.stringValue == "user" {
                    sent += 1
                    decoder.beginTurn(uuid: json["uuid"]?.stringValue ?? "sent-\(sent)")
                } else if json["request"]?["subtype"]?.stringValue == "interrupt" {
                    decoder.isInterrupting = true
                }
            case .output(let json):
                let output = decoder.decode(json.serialize())
                events += output.events
                effects += output.effects
            }
        }
        events += decoder.end()
        Recording.logged(events.compactMap { $0.draft(providerId: "claudeCodeCli", turnId: "t1") })
        return (events, effects)
    }

    func play() -> [NormalizedEvent] {
        var decoder = ClaudeDecoder()
        return play(&decoder).events
    }
}

/// An event as one line, the way golden files have it.
func describe(_ event: NormalizedEvent) -> String {
    switch event {
    case .chunk(let itemId, let kind, let text): return "chunk \(itemId) \(kind.rawValue) \(JSON(text))"
    case .sessionReady(let ready):
        return "session_ready \(ready.nativeSessionId) \(ready.model ?? "-") \(ready.mode ?? "-")"
    case .turnStarted(let reason): return "turn_started \(reason)"
    case .permissionRequested(let request):
        return "permission_requested \(request.itemId ?? "-") \(JSON.object(request.json))"
    case .questionRequested(let request):
        return "question_requested \(request.itemId ?? "-") \(JSON.object(request.json))"
    case .requestWithdrawn(let id): return "request_withdrawn \(id)"
    case .turnCompleted(let outcome):
        let usage = outcome.usage.map { JSON.object($0.json).description } ?? "-"
        return "turn_completed \(outcome.status.rawValue) \(outcome.stopReason ?? "-") \(usage)"
    default:
        let draft = event.draft(providerId: "claudeCodeCli", turnId: nil)!
        return "\(draft.kind.rawValue) \(draft.itemId ?? "-") \(JSON.object(draft.data))"
    }
}
