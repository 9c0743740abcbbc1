/// A member's name in the style of our records, which have one: `resets_at` becomes `resetsAt`.
package func camelCase(_ name: String) -> String {
    guard name.utf8.contains(UInt8(ascii: "_")) else { return name }
    var text = ""
    var raisesNext = false
    for character in name {
        if character == "_" {
            raisesNext = !text.isEmpty
        } else {
            text += raisesNext ? character.uppercased() : String(character)
            raisesNext = false
        }
    }
    return text
}
