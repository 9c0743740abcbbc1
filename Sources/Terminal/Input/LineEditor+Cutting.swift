/// Cutting, putting back, undoing.
extension LineEditor {
    private static let cutLimit = 20
    private static let undoLimit = 100

    // MARK: Undo

    /// Keeps the text as it is before a change.
    mutating func remember(_ action: LastAction) {
        lastAction = action
        if let last = past.last, last.text == text { return }
        past.append(Snapshot(text: text, cursor: cursor))
        if past.count > LineEditor.undoLimit { past.removeFirst() }
    }

    mutating func undo() -> Outcome {
        while let last = past.popLast() {
            guard last.text != text else { continue }
            text = last.text
            cursor = min(last.cursor, text.count)
            return .changed
        }
        return .ignored
    }

    // MARK: Cut and yank

    /// What is cut in one go is one piece.
    mutating func cut(_ range: Range<Int>, after action: LastAction, forward: Bool) -> Outcome {
        guard !range.isEmpty else { return .ignored }
        let piece = Array(text[range])
        if action == .cutting, var last = cuts.popLast() {
            last.insert(contentsOf: piece, at: forward ? last.count : 0)
            cuts.append(last)
        } else {
            cuts.append(piece)
            if cuts.count > LineEditor.cutLimit { cuts.removeFirst() }
        }
        let outcome = remove(range)
        lastAction = .cutting
        return outcome
    }

    mutating func yank() -> Outcome {
        guard let piece = cuts.last else { return .ignored }
        let start = cursor
        let outcome = insert(piece)
        yanked = start..<cursor
        lastAction = .yanking
        return outcome
    }

    /// Alt-Y after a yank: the piece that was cut before it, in its place.
    mutating func yankOlder() -> Outcome {
        guard let range = yanked, range.upperBound <= text.count, cuts.count > 1 else { return .ignored }
        cuts.insert(cuts.removeLast(), at: 0)
        text.removeSubrange(range)
        cursor = range.lowerBound
        return yank()
    }

    // MARK: Small changes

    /// Control-T: the characters around the cursor change places.
    mutating func transpose() -> Outcome {
        let right = cursor == text.count ? cursor - 1 : cursor
        guard right > 0, text[right] != "\n", text[right - 1] != "\n" else { return .ignored }
        remember(.other)
        text.swapAt(right - 1, right)
        cursor = right + 1
        return .changed
    }

    /// Alt-U, Alt-L, Alt-C: the next word in upper case, in lower case, with a capital.
    mutating func changeCase(_ how: Character) -> Outcome {
        let end = wordEnd
        guard end > cursor else { return .ignored }
        remember(.other)
        let word = String(text[cursor..<end])
        let changed: String
        switch how {
        case "u": changed = word.uppercased()
        case "l": changed = word.lowercased()
        default:
            let first = word.firstIndex { $0.isLetter } ?? word.startIndex
            let rest = word.indices.contains(first) ? word[word.index(after: first)...] : ""
            changed = word[..<first] + word[first...].prefix(1).uppercased() + rest.lowercased()
        }
        text.replaceSubrange(cursor..<end, with: Array(changed))
        cursor += changed.count
        return .changed
    }
}
