/// A key press, or a paste.
enum Key: Equatable, Sendable {
    case character(Character)
    case paste(String)
    case enter, newline, tab, backTab, backspace, delete, escape
    case left, right, up, down, home, end, wordLeft, wordRight
    /// The letter, in lower case.
    case control(Character)
    case alt(Character)
    case unknown
}
