/// A random UUID (RFC 9562 version 4) as its lower-case text.
package func randomUUID() -> String {
    var bytes = randomBytes(16)
    bytes[6] = bytes[6] & 0x0f | 0x40
    bytes[8] = bytes[8] & 0x3f | 0x80
    let text = Array(hexadecimal(bytes).utf8)
    let groups = [0..<8, 8..<12, 12..<16, 16..<20, 20..<32]
    return groups.map { String(decoding: text[$0], as: UTF8.self) }.joined(separator: "-")
}
