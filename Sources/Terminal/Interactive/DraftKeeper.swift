/// The line being written as the daemon keeps it for the session, so that it is there in the person's other clients.
/// Pure.
struct DraftKeeper {
    /// What the daemon has, as far as this client knows.
    private(set) var known: String
    /// Whether the daemon keeps drafts.
    let isOffered: Bool
    private var number = 0

    /// - Parameter record: the session's; nil `draft` where a daemon keeps none.
    init(known: String?, isOffered: Bool) {
        self.known = known ?? ""
        self.isOffered = isOffered
    }

    /// What was written is a draft; a command is not.
    static func text(of line: String) -> String { line.hasPrefix("/") ? "" : line }

    /// The line has changed; the number of the wait after which it is to be stored, if it is.
    mutating func changed(to line: String) -> Int? {
        guard isOffered, DraftKeeper.text(of: line) != known else { return nil }
        number += 1
        return number
    }

    /// What is to be stored now; nil when something was written since.
    mutating func due(_ number: Int, line: String) -> String? {
        let text = DraftKeeper.text(of: line)
        guard isOffered, number == self.number, text != known else { return nil }
        known = text
        return text
    }

    /// Another client has written: true when its text takes the line's place, which holds nothing else.
    mutating func arrived(_ text: String, line: String) -> Bool {
        guard isOffered else { return false }
        let isUntouched = line == known || line.isEmpty
        known = text
        return isUntouched && line != text
    }
}
