import ACPMessages
import Foundation
import HubProtocol
import JSON
import ProviderACP
import Providers
import TestSupport
import Testing

/// Recorded conversations with real agents, decoded: what they become is kept beside them and read by people.
/// `UPDATE_GOLDEN=1` writes it anew.
@Suite struct FixtureTests {
    static let names = ["acp-scripted-peer", "vibe-acp-basic", "vibe-acp-load"]

    @Test(arguments: names) func decodesToTheKnownEvents(_ name: String) throws {
        let lines = try decode(name).map(render)
        let golden = folder().appending(path: "\(name).events.txt")
        if ProcessInfo.processInfo.environment["UPDATE_GOLDEN"] != nil {
            // The source tree's, not the bundle's copy.
            let source = URL(filePath: #filePath).deletingLastPathComponent()
            try (lines.joined(separator: "\n") + "\n").write(
                to: source.appending(path: "Fixtures/\(name).events.txt"), atomically: true, encoding: .utf8)
        }
        let known = try String(contentsOf: golden, encoding: .utf8).split(separator: "\n").map(String.init)
        #expect(lines == known)
    }

    @Test(arguments: names) func nothingWithAPlaceBecomesCustom(_ name: String) throws {
        let custom = try decode(name).filter { if case .custom = $0 { true } else { false } }
        #expect(custom.isEmpty)
    }

    /// Twice the same conversation gives twice the same identifiers.
    @Test(arguments: names) func isDeterministic(_ name: String) throws {
        #expect(try decode(name) == decode(name))
    }

    private func folder() -> URL { Bundle.module.resourceURL!.appending(path: "Fixtures") }

    /// Plays a recording into a decoder as a session would: our own lines tell when turns begin.
    private func decode(_ name: String) throws -> [NormalizedEvent] {
        let text = try String(contentsOf: folder().appending(path: "\(name).jsonl"), encoding: .utf8)
        var decoder = ACPDecoder(epoch: "e")
        var events: [NormalizedEvent] = []
        var prompts: [JSON] = []
        var loading: Set<String> = []
        var isCancelling = false
        for line in text.split(separator: "\n") {
            let entry = try JSON.parse(String(line))
            if let sent = entry["in"] {
                switch sent["method"]?.stringValue {
                case "session/prompt":
                    guard let id = sent["id"] else { continue }
                    prompts.append(id)
                    isCancelling = false
                    decoder.beginTurn(
                        "t\(id)", prompt: sent["params"]?["prompt"]?[0]?["text"]?.stringValue ?? "")
                case "session/load": loading.insert((sent["id"] ?? .null).description)
                case "session/cancel": isCancelling = true
                default: break
                }
            }
            guard let said = entry["out"] else { continue }
            for message in ACPMessage.read(said.serialize()) {
                switch message {
                case .notification("session/update", let params):
                    guard let update = params["update"] else { continue }
                    if loading.isEmpty {
                        decoder.update(update, into: &events)
                    } else {
                        decoder.replayed(update, into: &events)
                    }
                case .request(_, "session/request_permission", let params):
                    let request = try #require(decoder.permission(params, into: &events))
                    events.append(.permissionRequested(request))
                case .result(let id, let result):
                    loading.remove(id.description)
                    guard prompts.contains(id) else { continue }
                    decoder.endTurn(
                        isCancelling ? .interrupted : .completed, stopReason: result["stopReason"]?.stringValue,
                        result: result, into: &events)
                case .failure(let id, let error):
                    loading.remove(id.description)
                    guard prompts.contains(id) else { continue }
                    events.append(.error(failure(of: error, provider: "Agent")))
                    decoder.endTurn(.failed, stopReason: "error", into: &events)
                case .request, .notification: break
                case .unparsed(let text, let length):
                    events.append(.custom(type: "unparsed_output", data: ["text": JSON(text), "length": JSON(length)]))
                }
            }
        }
        Recording.logged(events.compactMap { $0.draft(providerId: "geminiCli", turnId: "t1") })
        return events
    }
}
