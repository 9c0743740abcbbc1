import Base
import JSON
import ProviderCodex
import Providers

/// The input is what `codex app-server` prints; the first octet says whose turn runs and where the bytes are cut.
/// Whatever it says: two runs give the same, however the bytes are cut; what was streamed is closed in the end; a turn
/// ends at most once; every request can be answered each way.
@c(LLVMFuzzerTestOneInput)
public func fuzzCodexDecoder(_ start: UnsafePointer<UInt8>, _ count: Int) -> CInt {
    guard count > 1 else { return 0 }
    let bytes = Array(UnsafeBufferPointer(start: start + 1, count: count - 1))
    let choice = start[0]
    let events = play(bytes, choice: choice, chunk: bytes.count)
    precondition(events == play(bytes, choice: choice, chunk: Int(choice >> 1) + 1), "the cuts change the events")
    check(events, isOurs: choice & 1 == 0)
    return 0
}

private func play(_ bytes: [UInt8], choice: UInt8, chunk: Int) -> [NormalizedEvent] {
    var splitter = LineSplitter(limit: 2048)
    var decoder = CodexDecoder(threadId: "t", epoch: "e", settings: ["model": "m"])
    if choice & 1 == 0 { decoder.beginTurn() }
    var events: [NormalizedEvent] = []
    func take(_ line: LineSplitter.Line) {
        let message: CodexMessage?
        switch line {
        case .whole(let bytes): message = CodexMessage.read(bytes)
        case .tooLong(let start, let length):
            message = .oversized(start: String(decoding: start, as: UTF8.self), length: length)
        }
        guard let message else { return }
        let output = decoder.decode(message)
        events += output.events
        for case .requested(let request) in output.effects {
            for option in request.options { _ = request.reply(.option(option.optionId)).serialize() }
            _ = request.reply(.cancelled).serialize()
            _ = request.reply(answers: ["a": ["b", 1]]).serialize()
            if choice & 2 == 0 { decoder.answered(request.requestId) }
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
        case .chunk(let itemId, let kind, _): if kind != .toolOutput { open.insert(itemId) }
        case .message(let message): open.remove(message.itemId)
        case .thinking(let itemId, _, _, _): open.remove(itemId)
        case .turnStarted: turns += 1
        case .turnCompleted:
            turns -= 1
            precondition(turns == 0, "a turn ended that did not run, or two ran at once")
        default: break
        }
        _ = event.draft(providerId: "codexCli", turnId: nil)?.data.count
    }
    precondition(open.isEmpty, "streamed and never closed")
}
