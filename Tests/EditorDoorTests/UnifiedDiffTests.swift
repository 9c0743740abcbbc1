import Testing

@testable import EditorDoor

@Suite struct UnifiedDiffTests {
    @Test("each hunk becomes an old and a new text")
    func hunks() {
        let text = """
            --- a/x
            +++ b/x
            @@ -1,3 +1,3 @@
             one
            -two
            +2
             three
            @@ -10 +10,2 @@
             ten
            +eleven
            \\ No newline at end of file
            """
        let hunks = UnifiedDiff.hunks(text)
        #expect(
            hunks == [
                .init(old: "one\ntwo\nthree\n", new: "one\n2\nthree\n"), .init(old: "ten\n", new: "ten\neleven\n"),
            ])
    }

    @Test("what is no diff has no hunks", arguments: ["", "hello", "--- a\n+++ b\n"])
    func none(text: String) {
        #expect(UnifiedDiff.hunks(text).isEmpty)
    }
}
