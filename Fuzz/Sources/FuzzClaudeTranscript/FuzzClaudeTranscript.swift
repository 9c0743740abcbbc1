import Base
import JSON
import ProviderClaude
import Providers

/// The input is the file of a session that Claude Code made; the first octet says where it is cut. Whatever it says: two
/// runs give the same, however the bytes are cut; turns don't overlap, and none is left open.
@c(LLVMFuzzerTestOneInput)
public func fuzzClaudeTranscript(_ start: UnsafePointer<UInt8>, _ count: Int) -> CInt {
    guard count > 1 else { return 0 }
    let bytes = Array(UnsafeBufferPointer(start: start + 1, count: count - 1))
    let events = play(bytes, chunk: bytes.count)
    precondition(events == play(bytes, chunk: Int(start[0]) + 1), "the cuts change the events")
    var isOpen = false
    for event in events {
        switch event {
        case .prompt, .event(.turnStarted):
            precondition(!isOpen, "a turn began within another")
            isOpen = true
        case .event(.turnCompleted):
            precondition(isOpen, "a turn ended that did not run")
            isOpen = false
        case .event(let event): _ = event.draft(providerId: "claudeCodeCli", turnId: nil)?.data.count
        }
    }
    precondition(!isOpen, "a turn was left open")
    return 0
}

private func play(_ bytes: [UInt8], chunk: Int) -> [ArchivedEvent] {
    var events: [ArchivedEvent] = []
    // A subagent's file that says the same again: it must not go on for ever.
    var reader = ClaudeTranscript { _ in [.whole(bytes)] }
    var splitter = LineSplitter(limit: 2048)
    func take(_ time: Timestamp?, _ event: ArchivedEvent) { events.append(event) }
    var begin = 0
    while begin < bytes.count {
        let end = min(begin + chunk, bytes.count)
        splitter.feed(Array(bytes[begin..<end])) { reader.read($0, take) }
        begin = end
    }
    splitter.finish { reader.read($0, take) }
    reader.finish(take)
    _ = reader.title
    return events
}
