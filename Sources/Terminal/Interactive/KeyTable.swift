/// The keys of the interactive client, for `/help`, the manual and the documentation.
enum KeyTable {
    static let all: [(key: String, meaning: String)] = [
        ("Enter", "Send; while a turn runs the message is queued"),
        ("Alt-Enter, Shift-Enter, Ctrl-J, \\ Enter", "A new line in the message"),
        ("Esc", "Interrupt the running turn; end a search or a list of candidates"),
        ("Ctrl-C", "Clear the line; interrupt the running turn; when nothing runs, twice within a second leaves"),
        ("Ctrl-D", "On an empty line, leave; the session goes on"),
        ("Ctrl-Z", "Suspend, as elsewhere"),
        ("Tab, Shift-Tab", "Complete a command, its argument, a provider or file after @; then the next candidate"),
        ("Up, Down", "Earlier messages, and back; in a text of several lines, its lines"),
        ("Ctrl-R, Ctrl-S", "Look for an earlier message as you type; Enter takes it over, Ctrl-G gives up"),
        ("Ctrl-O", "Show whole what was folded: a result, a thought, a change, the arguments of a permission"),
        ("y, a, n, d, m or a number", "Answer the permission or question that is shown, on an empty line"),
        ("Ctrl-A, Ctrl-E, Alt-B, Alt-F", "To the line's beginning and end, a word back and forth"),
        (
            "Ctrl-W, Ctrl-U, Ctrl-K, Alt-D",
            "Cut the word before, the line before and behind the cursor, the word behind"
        ),
        ("Ctrl-Y, Alt-Y", "Put back what was cut; what was cut before that"),
        ("Ctrl-_, Ctrl-T, Alt-U, Alt-L, Alt-C", "Undo; swap two characters; change the case of a word"),
        ("Ctrl-L", "Draw the screen anew"),
    ]
}
