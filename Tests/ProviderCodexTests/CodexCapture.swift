import Base
import Foundation
import HubProtocol
import JSON
import ProviderCodex
import Providers
import TestSupport
import Testing

/// A recorded run of the real program: both directions, line by line.
struct CodexCapture: CustomTestStringConvertible {
    let name: String
    let lines: [JSON]

    var testDescription: String { name }

    static let folder = Bundle.module.resourceURL!.appendingPathComponent("Fixtures")

    static let all: [CodexCapture] = {
        let names = try! FileManager.default.contentsOfDirectory(atPath: folder.path)
        return names.filter { $0.hasPrefix("codex-app-") && $0.hasSuffix(".jsonl") }.sorted().map { CodexCapture($0) }
    }()

    private init(_ file: String) {
        name = String(file.dropFirst("codex-app-".count).dropLast(".jsonl".count))
        let text = try! String(contentsOf: CodexCapture.folder.appendingPathComponent(file), encoding: .utf8)
        lines = text.split(separator: "\n").compactMap { try? JSON.parse(String($0)) }
    }

    /// What the program printed.
    var outputLines: [[UInt8]] { lines.compactMap { $0["out"]?.serialize() } }

    /// Plays it the way the session does: turns begin with our requests, answers tell their identifiers.
    func play(_ look: (inout CodexDecoder, CodexMessage) -> CodexDecoder.Output = { $0.decode($1) })
        -> [NormalizedEvent]
    {
        var decoder: CodexDecoder?
        var early: [CodexMessage] = []
        var events: [NormalizedEvent] = []
        var asked: [Int: String] = [:]
        for line in lines {
            if let input = line["in"], let method = input["method"]?.stringValue {
                if let id = input["id"]?.intValue { asked[id] = method }
                if method == "turn/start", decoder?.turn == CodexDecoder.Turn.none {
                    decoder?.beginTurn()
                }
                // What comes on top of a running turn is a message more of it.
                else if method == "turn/steer" || method == "turn/start" {
                    decoder?.steered()
                }
            } else if let input = line["in"], let id = input["id"], input["result"] != nil {
                decoder?.answered("e-\(id)")
            }
            guard let output = line["out"], let message = CodexMessage.read(output.serialize()) else { continue }
            switch message {
            case .result(let id, let result):
                switch asked[id] {
                case "thread/start", "thread/resume", "thread/fork":
                    var made = CodexDecoder(
                        threadId: result["thread"]?["id"]?.stringValue ?? "", epoch: "e", settings: result)
                    for message in early { events += look(&made, message).events }
                    early = []
                    decoder = made
                case "turn/start":
                    if let turn = result["turn"]?["id"]?.stringValue { decoder?.turnAccepted(id: turn) }
                default: break
                }
            case .failure: break
            default:
                if decoder == nil {
                    early.append(message)
                } else {
                    events += look(&decoder!, message).events
                }
            }
        }
        if var decoder { events += decoder.end() }
        Recording.logged(events.compactMap { $0.draft(providerId: "codexCli", turnId: "t1") })
        return events
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
        let draft = event.draft(providerId: "codexCli", turnId: nil)!
        return "\(draft.kind.rawValue) \(draft.itemId ?? "-") \(JSON.object(draft.data))"
    }
}
