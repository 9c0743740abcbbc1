/// The changed lines between two texts, with a little of what is around them.
struct LineDiff: Equatable {
    enum Line: Equatable {
        case same(String)
        case added(String)
        case removed(String)
        case skipped(Int)
    }

    private(set) var lines: [Line] = []
    private(set) var added = 0
    private(set) var removed = 0

    private static let context = 2
    /// Beyond it the middle is shown as removed and added as a whole: finding the least difference could take long.
    private static let comparedLines = 600

    init(old: String?, new: String?) {
        let before = LineDiff.split(old)
        let after = LineDiff.split(new)
        var head = 0
        while head < before.count, head < after.count, before[head] == after[head] { head += 1 }
        var tail = 0
        while tail < before.count - head, tail < after.count - head,
            before[before.count - 1 - tail] == after[after.count - 1 - tail]
        {
            tail += 1
        }
        let middle = LineDiff.compare(
            Array(before[head..<before.count - tail]), Array(after[head..<after.count - tail]))
        guard !middle.isEmpty else { return }
        if head > LineDiff.context { lines.append(.skipped(head - LineDiff.context)) }
        lines += before[max(0, head - LineDiff.context)..<head].map(Line.same)
        lines += LineDiff.collapse(middle)
        lines += before[(before.count - tail)..<min(before.count, before.count - tail + LineDiff.context)]
            .map(Line.same)
        if tail > LineDiff.context { lines.append(.skipped(tail - LineDiff.context)) }
        for line in middle {
            if case .added = line { added += 1 }
            if case .removed = line { removed += 1 }
        }
    }

    private static func split(_ text: String?) -> [String] {
        guard let text, !text.isEmpty else { return [] }
        var lines = text.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
        if lines.last == "" { lines.removeLast() }
        return lines
    }

    private static func compare(_ old: [String], _ new: [String]) -> [Line] {
        guard old.count <= comparedLines, new.count <= comparedLines, !old.isEmpty, !new.isEmpty else {
            return old.map(Line.removed) + new.map(Line.added)
        }
        var removedAt: Set<Int> = []
        var addedAt: Set<Int> = []
        for change in new.difference(from: old) {
            switch change {
            case .remove(let offset, _, _): removedAt.insert(offset)
            case .insert(let offset, _, _): addedAt.insert(offset)
            }
        }
        var result: [Line] = []
        var (i, j) = (0, 0)
        while i < old.count || j < new.count {
            if i < old.count, removedAt.contains(i) {
                result.append(.removed(old[i]))
                i += 1
            } else if j < new.count, addedAt.contains(j) {
                result.append(.added(new[j]))
                j += 1
            } else {
                if i < old.count { result.append(.same(old[i])) }
                i += 1
                j += 1
            }
        }
        return result
    }

    /// Shortens long runs of unchanged lines.
    private static func collapse(_ lines: [Line]) -> [Line] {
        var result: [Line] = []
        var run: [Line] = []
        func flush() {
            if run.count > context * 2 + 1 {
                result += run.prefix(context)
                result.append(.skipped(run.count - context * 2))
                result += run.suffix(context)
            } else {
                result += run
            }
            run = []
        }
        for line in lines {
            if case .same = line {
                run.append(line)
            } else {
                flush()
                result.append(line)
            }
        }
        flush()
        return result
    }
}
