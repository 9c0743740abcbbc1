/// Reads unified diffs as far as an editor needs them. Pure.
enum UnifiedDiff {
    struct Hunk: Equatable {
        var old = ""
        var new = ""
    }

    /// The hunks; none when the text is no unified diff.
    static func hunks(_ text: String) -> [Hunk] {
        var hunks: [Hunk] = []
        for line in text.split(separator: "\n", omittingEmptySubsequences: false) {
            if line.hasPrefix("@@") {
                hunks.append(Hunk())
                continue
            }
            guard !hunks.isEmpty, let mark = line.utf8.first else { continue }
            let rest = line.dropFirst() + "\n"
            switch mark {
            case UInt8(ascii: "-"): hunks[hunks.count - 1].old += rest
            case UInt8(ascii: "+"): hunks[hunks.count - 1].new += rest
            case UInt8(ascii: " "):
                hunks[hunks.count - 1].old += rest
                hunks[hunks.count - 1].new += rest
            default: break
            }
        }
        return hunks
    }
}
