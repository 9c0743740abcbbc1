import JSON
import Providers

/// What commands in terminals say, as output of the tool calls that they belong to.
extension ToolCalls {
    /// Terminals that one call can have in it.
    private static let maximumTerminals = 16
    /// Transcripts of released terminals that still wait for the end of their calls; beyond it the oldest go.
    private static let maximumReleased = 64

    mutating func openTerminal(_ id: String, limit: Int) { transcripts[id] = TerminalTranscript(limit: limit) }

    /// Takes what the command says, and shows it where it belongs.
    mutating func terminal(_ id: String, said text: String, into events: inout [NormalizedEvent]) {
        guard transcripts[id] != nil else { return }
        transcripts[id]?.append(text)
        show(text, of: id, into: &events)
    }

    mutating func terminal(_ id: String, exitedWith code: Int?) { transcripts[id]?.exitCode = code }

    /// The agent needs it no more.
    /// - Returns: what it said, when no tool call has told it and none will.
    mutating func releaseTerminal(_ id: String) -> (text: String, isTruncated: Bool)? {
        guard transcripts[id] != nil else { return nil }
        transcripts[id]?.isReleased = true
        if embedding[id] != nil {
            // Kept for the call's end.
            let released = transcripts.filter { $0.value.isReleased }.keys
            if released.count > ToolCalls.maximumReleased, let oldest = released.min(by: ToolCalls.isOlder) {
                transcripts[oldest] = nil
                embedding[oldest] = nil
            }
            return nil
        }
        guard var transcript = transcripts.removeValue(forKey: id), !transcript.isEmbedded, !transcript.isEmpty else {
            return nil
        }
        return (transcript.text(), transcript.isTruncated)
    }

    /// Numbers at the end: the shorter identifier is the older one, then the smaller.
    private static func isOlder(_ a: String, _ b: String) -> Bool {
        (a.utf8.count, a) < (b.utf8.count, b)
    }

    /// The call says that a terminal is part of it.
    mutating func embed(_ id: String?, in state: inout State, into events: inout [NormalizedEvent]) {
        // Terminals that the agent runs by itself are known to nobody here; it tells their output by other means.
        guard let id, let call = state.call.nativeId, transcripts[id] != nil, !state.terminals.contains(id),
            state.terminals.count < ToolCalls.maximumTerminals
        else { return }
        state.terminals.append(id)
        embedding[id] = call
        transcripts[id]?.isEmbedded = true
        guard let text = transcripts[id]?.text(), !text.isEmpty else { return }
        transcripts[id]?.streamedBytes += text.utf8.count
        events.append(.chunk(itemId: state.call.itemId, kind: .toolOutput, text: text))
    }

    private mutating func show(_ text: String, of id: String, into events: inout [NormalizedEvent]) {
        guard let call = embedding[id], let state = self[call], !state.isClosed, let transcript = transcripts[id],
            transcript.streamedBytes < ToolCalls.maximumStreamedBytes
        else { return }
        transcripts[id]?.streamedBytes += text.utf8.count
        events.append(.chunk(itemId: state.call.itemId, kind: .toolOutput, text: text))
    }

    /// What the call's terminals have said, and the last one's exit code.
    mutating func output(of state: State) -> (text: String, exitCode: Int?) {
        var text = ""
        var exitCode: Int?
        for id in state.terminals {
            guard let said = transcripts[id]?.text() else { continue }
            text += text.isEmpty ? said : "\n" + said
            exitCode = transcripts[id]?.exitCode ?? exitCode
        }
        return (text, exitCode)
    }
}
