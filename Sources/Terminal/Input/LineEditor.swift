/// A text being written, with its cursor and the history of those before. Pure: keys in, state and outcome out.
struct LineEditor {
    enum Outcome: Equatable {
        case changed
        /// Enter: the text, which is then cleared.
        case submit(String)
        /// Control-C on an empty text; on any other it clears the text.
        case interrupt
        /// Control-D on an empty text.
        case endOfInput
        case suspend
        case redraw
        case ignored
    }

    private(set) var text: [Character] = []
    private(set) var cursor = 0
    private var history: [String] = []
    private var historyIndex: Int?
    private var draft: [Character] = []
    private var killed: [Character] = []
    /// Words that Tab completes at the beginning of the text.
    var completions: [String] = []

    static let historyLimit = 200

    var isEmpty: Bool { text.isEmpty }
    var string: String { String(text) }

    mutating func replace(with string: String) {
        text = Array(string)
        cursor = text.count
    }

    mutating func addToHistory(_ line: String) {
        guard history.last != line, line.contains(where: { !$0.isWhitespace }) else { return }
        history.append(line)
        if history.count > LineEditor.historyLimit { history.removeFirst() }
    }

    mutating func handle(_ key: Key) -> Outcome {
        switch key {
        case .character(let character): return insert([character])
        case .paste(let string): return insert(Array(string))
        case .newline: return insert(["\n"])
        case .enter: return submit()
        case .tab: return complete()
        case .backspace: return remove(cursor - 1..<cursor)
        case .delete: return remove(cursor..<cursor + 1)
        case .left: return move(to: cursor - 1)
        case .right: return move(to: cursor + 1)
        case .home: return move(to: lineStart)
        case .end: return move(to: lineEnd)
        case .wordLeft: return move(to: wordStart)
        case .wordRight: return move(to: wordEnd)
        case .up: return moveLine(up: true)
        case .down: return moveLine(up: false)
        case .control(let letter): return control(letter)
        case .alt("\r"): return insert(["\n"])
        case .alt("d"): return kill(cursor..<wordEnd)
        case .alt, .escape, .unknown: return .ignored
        }
    }

    private mutating func control(_ letter: Character) -> Outcome {
        switch letter {
        case "a": return move(to: lineStart)
        case "e": return move(to: lineEnd)
        case "b": return move(to: cursor - 1)
        case "f": return move(to: cursor + 1)
        case "p": return moveLine(up: true)
        case "n": return moveLine(up: false)
        case "h": return remove(cursor - 1..<cursor)
        case "k": return kill(cursor..<lineEnd)
        case "u": return kill(lineStart..<cursor)
        case "w": return kill(wordStart..<cursor)
        case "y": return insert(killed)
        case "l": return .redraw
        case "z": return .suspend
        case "d": return isEmpty ? .endOfInput : remove(cursor..<cursor + 1)
        case "c":
            if isEmpty { return .interrupt }
            clear()
            return .changed
        default: return .ignored
        }
    }

    private mutating func insert(_ characters: [Character]) -> Outcome {
        guard !characters.isEmpty else { return .ignored }
        text.insert(contentsOf: characters, at: cursor)
        cursor += characters.count
        // A combining mark typed after its letter makes one character with it.
        let joined = Array(String(text))
        if joined.count != text.count {
            cursor = String(text[..<cursor]).count
            text = joined
        }
        return .changed
    }

    private mutating func submit() -> Outcome {
        let line = string
        addToHistory(line)
        clear()
        return .submit(line)
    }

    private mutating func clear() {
        text = []
        cursor = 0
        historyIndex = nil
    }

    private mutating func remove(_ range: Range<Int>) -> Outcome {
        guard range.lowerBound >= 0, range.upperBound <= text.count, !range.isEmpty else { return .ignored }
        text.removeSubrange(range)
        cursor = range.lowerBound
        return .changed
    }

    private mutating func kill(_ range: Range<Int>) -> Outcome {
        guard !range.isEmpty else { return .ignored }
        killed = Array(text[range])
        return remove(range)
    }

    private mutating func move(to position: Int) -> Outcome {
        let target = min(max(0, position), text.count)
        guard target != cursor else { return .ignored }
        cursor = target
        return .changed
    }

    private mutating func complete() -> Outcome {
        let matches = completions.filter { $0.hasPrefix(string) && $0 != string }
        guard cursor == text.count, !isEmpty, let first = matches.first else { return .ignored }
        let common = matches.dropFirst().reduce(first) { String(zip($0, $1).prefix { $0 == $1 }.map(\.0)) }
        let completed = matches.count == 1 ? first + " " : common
        guard completed != string else { return .ignored }
        replace(with: completed)
        return .changed
    }

    // MARK: Places

    private var lineStart: Int { (text[..<cursor].lastIndex(of: "\n") ?? -1) + 1 }
    private var lineEnd: Int { text[cursor...].firstIndex(of: "\n") ?? text.count }

    private var wordStart: Int {
        var index = cursor
        while index > 0, text[index - 1].isWhitespace { index -= 1 }
        while index > 0, !text[index - 1].isWhitespace { index -= 1 }
        return index
    }

    private var wordEnd: Int {
        var index = cursor
        while index < text.count, text[index].isWhitespace { index += 1 }
        while index < text.count, !text[index].isWhitespace { index += 1 }
        return index
    }

    /// Within a text of several lines, the line above or below; at its edge, the history.
    private mutating func moveLine(up: Bool) -> Outcome {
        let column = cursor - lineStart
        if up, lineStart > 0 {
            let end = lineStart - 1
            let start = (text[..<end].lastIndex(of: "\n") ?? -1) + 1
            return move(to: min(start + column, end))
        }
        if !up, lineEnd < text.count {
            let start = lineEnd + 1
            let end = text[start...].firstIndex(of: "\n") ?? text.count
            return move(to: min(start + column, end))
        }
        return recall(older: up)
    }

    private mutating func recall(older: Bool) -> Outcome {
        if historyIndex == nil { draft = text }
        let current = historyIndex ?? history.count
        let next = older ? current - 1 : current + 1
        guard next >= 0, next <= history.count, next != current else { return .ignored }
        if next == history.count {
            historyIndex = nil
            text = draft
        } else {
            historyIndex = next
            text = Array(history[next])
        }
        cursor = text.count
        return .changed
    }
}
