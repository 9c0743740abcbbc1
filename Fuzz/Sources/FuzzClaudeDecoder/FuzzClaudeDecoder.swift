import Base
import JSON
import ProviderClaude
import Providers

/// The input is what Claude Code prints; the first octet says whose turn runs and where the bytes are cut. Whatever it
/// says: two runs give the same, however the bytes are cut; what was streamed is closed in the end; a turn ends at
/// most once.
@c(LLVMFuzzerTestOneInput)
public func fuzzClaudeDecoder(_ start: UnsafePointer<UInt8>, _ count: Int) -> CInt {
    guard count > 1 else { return 0 }
    let bytes = Array(UnsafeBufferPointer(start: start + 1, count: count - 1))
    let choice = start[0]
    let events = play(bytes, choice: choice, chunk: bytes.count)
    precondition(events == play(bytes, choice: choice, chunk: Int(choice >> 2) + 1), "the cuts change the events")
    check(events, isOurs: choice & 1 == 0)
    return 0
}

private func play(_ bytes: [UInt8], choice: UInt8, chunk: Int) -> [NormalizedEvent] {
    var splitter = LineSplitter(limit: 2048)
    var decoder = ClaudeDecoder(knownCostUsd: choice & 2 == 0 ? nil : 1)
    if choice & 1 == 0 { decoder.beginTurn(uuid: "u") }
    var events: [NormalizedEvent] = []
    func take(_ line: LineSplitter.Line) {
        let output = decoder.decode(line)
        events += output.events
        for case .requested(let request) in output.effects {
            _ = request.reply(.option("allow_always"), message: nil).serialize()
            _ = request.reply(answers: ["decision": "Approve"]).serialize()
        }
    }
    var begin = 0
    while begin < bytes.count {
        let end = min(begin + chunk, bytes.count)
        splitter.feed(Array(bytes[begin..<end]), take)
        begin = end
    }
    splitter.finish(take)
    return events + decoder.end()
}

private func check(_ events: [NormalizedEvent], isOurs: Bool) {
    var open: Set<String> = []
    var turns = isOurs ? 1 : 0
    for event in events {
        switch event {
        case .chunk(let itemId, _, _): open.insert(itemId)
        case .message(let message): open.remove(message.itemId)
        case .thinking(let itemId, _, _, _): open.remove(itemId)
        case .turnStarted: turns += 1
        case .turnCompleted:
            turns -= 1
            precondition(turns == 0, "a turn ended that did not run, or two ran at once")
        default: break
        }
        _ = event.draft(providerId: "claudeCodeCli", turnId: nil)?.data.count
    }
    precondition(open.isEmpty, "streamed and never closed")
}
