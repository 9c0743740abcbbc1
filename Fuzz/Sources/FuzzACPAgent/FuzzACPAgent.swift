import ACPMessages
import Base
import Glibc
import JSON
import ProviderACP
import Providers

/// The input is what an agent prints. The first octet says what of it is a turn's: whatever it says, each message and
/// thought is closed with exactly its pieces, each tool call begun is ended once, and a second run gives the same.
@c(LLVMFuzzerTestOneInput)
public func fuzzACPAgent(_ start: UnsafePointer<UInt8>, _ count: Int) -> CInt {
    guard count > 1 else { return 0 }
    let bytes = Array(UnsafeBufferPointer(start: start + 1, count: count - 1))
    let events = play(bytes, choice: start[0])
    precondition(events == play(bytes, choice: start[0]), "decoding is not deterministic")
    check(events)
    return 0
}

private func play(_ bytes: [UInt8], choice: UInt8) -> [NormalizedEvent] {
    var splitter = LineSplitter(limit: 2048)
    var lines: [LineSplitter.Line] = []
    splitter.feed(bytes) { lines.append($0) }
    splitter.finish { lines.append($0) }
    var decoder = ACPDecoder(
        epoch: "e", tokensAreCumulative: choice & 1 == 0, resumes: choice & 2 == 0,
        knownCostUsd: choice & 4 == 0 ? nil : 1)
    var events: [NormalizedEvent] = []
    decoder.beginTurn("t1", prompt: "hello")
    for case .whole(let line) in lines {
        for message in ACPMessage.read(line) { take(message, &decoder, &events) }
    }
    decoder.endTurn(choice & 8 == 0 ? .completed : .interrupted, stopReason: nil, into: &events)
    decoder.abandon(into: &events)
    return events
}

private func take(_ message: ACPMessage, _ decoder: inout ACPDecoder, _ events: inout [NormalizedEvent]) {
    switch message {
    case .notification(_, let params):
        guard let update = params["update"] else { return }
        if params["old"] != nil {
            decoder.replayed(update, into: &events)
        } else {
            _ = ACPDecoder.isConversation(update)
            decoder.update(update, into: &events)
        }
    case .request(_, let method, let params) where method.hasPrefix("fs/"):
        guard let path = params["path"]?.stringValue else { return }
        if let text = try? playground.read(
            playground.path + path, line: params["line"]?.intValue, limit: params["limit"]?.intValue)
        {
            precondition(!text.contains("secret"), "read from outside of the workspace")
        }
        if let content = params["content"]?.stringValue {
            decoder.wrote(path, oldText: nil, newText: content, into: &events)
        }
    case .request(_, let method, let params) where method.hasPrefix("terminal/"):
        terminal(method, params, &decoder, &events)
    case .request(_, let method, let params):
        if method.hasPrefix("e"), let (_, form) = decoder.question(params, into: &events) {
            _ = form.content(params.objectValue ?? [:])
        } else if let request = decoder.permission(params, into: &events) {
            events.append(.permissionRequested(request))
        }
    case .result(_, let result):
        decoder.endTurn(.completed, stopReason: nil, result: result, into: &events)
        decoder.beginTurn("t\(events.count)", prompt: "")
    case .failure(_, let error): events.append(.error(failure(of: error, provider: "Agent", now: 0)))
    case .unparsed(let text, let length): precondition(text.utf8.count <= 3 * length)
    }
}

/// What a session tells its decoder about terminals; here the input says that, too.
private func terminal(
    _ method: String, _ params: JSON, _ decoder: inout ACPDecoder, _ events: inout [NormalizedEvent]
) {
    guard let id = params["terminalId"]?.stringValue else { return }
    switch method {
    case "terminal/create":
        decoder.openTerminal(
            id, command: "c", arguments: [], folder: "/", limit: params["outputByteLimit"]?.intValue ?? 64,
            into: &events)
    case "terminal/output":
        decoder.terminal(id, said: params["text"]?.stringValue ?? "", into: &events)
        if let (text, isTruncated) = decoder.terminalOutput(id) {
            precondition(isTruncated || text.utf8.count <= 1 << 20)
        }
    case "terminal/kill": decoder.terminal(id, ended: params.objectValue ?? [:], into: &events)
    default: decoder.releaseTerminal(id, into: &events)
    }
}

/// A folder with something in it, and something beside it that must not be read.
private let playground: Workspace = {
    var template = Array("/tmp/fuzz-acp-XXXXXX".utf8CString)
    precondition(mkdtemp(&template) != nil)
    let folder = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    for name in ["/work", "/work/sub"] { mkdir(folder + name, 0o700) }
    for (name, text) in [("/secret", "secret"), ("/work/a.txt", "one\ntwo\n"), ("/work/sub/b.txt", "b")] {
        guard let file = fopen(folder + name, "w") else { preconditionFailure("cannot write") }
        fputs(text, file)
        fclose(file)
    }
    symlink("..", folder + "/work/out")
    return Workspace(folder + "/work")
}()

private func check(_ events: [NormalizedEvent]) {
    var pieces: [String: String] = [:]
    var tools: Set<String> = []
    for event in events {
        switch event {
        case .chunk(let itemId, .message, let text), .chunk(let itemId, .thinking, let text):
            pieces[itemId, default: ""] += text
        case .message(let message) where message.role == "assistant":
            precondition(pieces.removeValue(forKey: message.itemId) == message.text, "not the sum of its pieces")
        case .thinking(let itemId, _, let text, _):
            precondition(pieces.removeValue(forKey: itemId) == text, "not the sum of its pieces")
        case .toolCall(let call): tools.insert(call.itemId)
        case .toolResult(let result):
            precondition(tools.remove(result.itemId) != nil, "ended without being begun, or twice")
        default: break
        }
    }
    precondition(pieces.isEmpty, "left open")
    precondition(tools.isEmpty, "left running")
}
