/// A text being written, with its cursor and the history of those before. Pure: keys in, state and outcome out.
///
/// The keys are those of readline's Emacs mode. A large paste stands in the text as one character that is shown as a
/// label; `string` has what was pasted.
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
        /// Tab.
        case complete
        /// The Escape key, when it had nothing to end here.
        case escape
        /// Control-O.
        case unfold
        case ignored
    }

    var text: [Character] = []
    var cursor = 0
    var history = LineHistory()
    /// The pastes that stand as one character in the text.
    private(set) var pastes: [Character: String] = [:]
    /// While Control-R looks for something.
    var search: HistorySearch?
    /// The candidates that Tab offers, and which of them stands in the text.
    var completion: Completion?

    // Cut and undo; see LineEditor+Cutting.
    var cuts: [[Character]] = []
    var yanked: Range<Int>?
    var past: [Snapshot] = []
    var lastAction = LastAction.other

    enum LastAction { case typing, cutting, yanking, other }

    struct Snapshot {
        var text: [Character]
        var cursor: Int
    }

    /// A paste from so many lines or characters on is shown as a label.
    private static let largePaste = (lines: 8, characters: 1000)
    private static let pasteLimit = 50

    var isEmpty: Bool { text.isEmpty }
    /// What was written, pastes included.
    var string: String { expanded(text) }
    /// What stands before the cursor, when that is the text's end: what can be completed.
    var completable: String? { cursor == text.count && search == nil ? String(text) : nil }

    mutating func replace(with string: String) {
        remember(.other)
        text = Array(string)
        cursor = text.count
        history.leave()
    }

    mutating func handle(_ key: Key) -> Outcome {
        if search != nil, let outcome = handleSearch(key) { return outcome }
        if key != .tab, key != .backTab, key != .unknown, key != .escape { completion = nil }
        let action = lastAction
        lastAction = .other
        switch key {
        case .character(let character): return insert([character], after: action, as: .typing)
        case .paste(let string): return paste(string)
        case .newline: return insert(["\n"])
        case .enter: return submit()
        case .tab: return .complete
        case .backTab: return step(-1)
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
        case .control(let letter): return control(letter, after: action)
        case .alt(let character): return alt(character, after: action)
        case .escape:
            guard completion != nil else { return .escape }
            completion = nil
            return .changed
        case .unknown: return .ignored
        }
    }

    private mutating func control(_ letter: Character, after action: LastAction) -> Outcome {
        switch letter {
        case "a": return move(to: lineStart)
        case "e": return move(to: lineEnd)
        case "b": return move(to: cursor - 1)
        case "f": return move(to: cursor + 1)
        case "p": return moveLine(up: true)
        case "n": return moveLine(up: false)
        case "h": return remove(cursor - 1..<cursor)
        case "k": return cut(cursor..<max(lineEnd, min(cursor + 1, text.count)), after: action, forward: true)
        case "u": return cut(lineStart..<cursor, after: action, forward: false)
        case "w": return cut(wordStart..<cursor, after: action, forward: false)
        case "y": return yank()
        case "t": return transpose()
        case "_": return undo()
        case "r": return beginSearch()
        case "l": return .redraw
        case "z": return .suspend
        case "o": return .unfold
        case "d": return isEmpty ? .endOfInput : remove(cursor..<cursor + 1)
        case "c", "g":
            if isEmpty { return letter == "c" ? .interrupt : .ignored }
            remember(.other)
            clear()
            return .changed
        default: return .ignored
        }
    }

    private mutating func alt(_ character: Character, after action: LastAction) -> Outcome {
        switch character {
        case "d": return cut(cursor..<wordEnd, after: action, forward: true)
        case "y": return action == .yanking ? yankOlder() : .ignored
        case "<": return move(to: 0)
        case ">": return move(to: text.count)
        case "u", "l", "c": return changeCase(character)
        default: return .ignored
        }
    }

    // MARK: Text

    mutating func insert(
        _ characters: [Character], after action: LastAction = .other, as kind: LastAction = .other
    ) -> Outcome {
        guard !characters.isEmpty else { return .ignored }
        // What was typed in one go is undone in one go, word by word.
        if kind != .typing || action != .typing || characters == [" "] { remember(kind) }
        lastAction = kind
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

    /// A large paste becomes one character: it can be removed, but need not be scrolled through.
    private mutating func paste(_ string: String) -> Outcome {
        // Characters that could pass for one of those are none that anybody writes.
        let clean = string.filter { !LineEditor.isPlaceholder($0) }
        let lines = clean.reduce(1) { $0 + ($1 == "\n" ? 1 : 0) }
        guard lines >= LineEditor.largePaste.lines || clean.count >= LineEditor.largePaste.characters,
            pastes.count < LineEditor.pasteLimit,
            let scalar = Unicode.Scalar(UInt32(0xf0000 + pastes.count))
        else { return insert(Array(clean)) }
        pastes[Character(scalar)] = clean
        return insert([Character(scalar)])
    }

    private static func isPlaceholder(_ character: Character) -> Bool {
        character.unicodeScalars.contains { (0xf0000...0xffffd).contains($0.value) }
    }

    /// How a paste is shown that stands in the text; nil for what stands for itself.
    func label(of character: Character) -> String? {
        guard let text = pastes[character] else { return nil }
        let lines = text.reduce(text.last == "\n" ? 0 : 1) { $0 + ($1 == "\n" ? 1 : 0) }
        return lines > 1 ? "[pasted \(lines) lines]" : "[pasted \(text.count) characters]"
    }

    func expanded(_ characters: [Character]) -> String {
        var result = ""
        for character in characters {
            if let paste = pastes[character] { result += paste } else { result.append(character) }
        }
        return result
    }

    private mutating func submit() -> Outcome {
        // As in a shell, a backslash before Enter begins a new line.
        if cursor == text.count, text.last == "\\", text.dropLast().last != "\\" {
            text.removeLast()
            cursor -= 1
            return insert(["\n"])
        }
        let line = string
        history.add(line)
        clear()
        past = []
        return .submit(line)
    }

    mutating func clear() {
        text = []
        cursor = 0
        pastes = [:]
        history.leave()
    }

    mutating func remove(_ range: Range<Int>) -> Outcome {
        guard range.lowerBound >= 0, range.upperBound <= text.count, !range.isEmpty else { return .ignored }
        remember(.other)
        text.removeSubrange(range)
        cursor = range.lowerBound
        return .changed
    }

    // MARK: Places

    mutating func move(to place: Int) -> Outcome {
        guard (0...text.count).contains(place), place != cursor else { return .ignored }
        cursor = place
        return .changed
    }

    var lineStart: Int { (text[..<cursor].lastIndex(of: "\n") ?? -1) + 1 }
    var lineEnd: Int { text[cursor...].firstIndex(of: "\n") ?? text.count }

    private var wordStart: Int {
        var index = cursor
        while index > 0, text[index - 1].isWhitespace { index -= 1 }
        while index > 0, !text[index - 1].isWhitespace { index -= 1 }
        return index
    }

    var wordEnd: Int {
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
        guard let recalled = up ? history.older(than: text) : history.newer() else { return .ignored }
        text = recalled
        cursor = text.count
        return .changed
    }
}
