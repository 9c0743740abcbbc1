import Foundation

/// Writes a script that can be run at once.
///
/// Another process writes it: a child that some other test starts meanwhile would hold this process's open file for a
/// moment, and running a file that is open for writing fails (ETXTBSY).
package func writeProgram(_ path: String, _ text: String) throws {
    let draft = path + ".draft"
    try FileManager.default.createDirectory(
        atPath: (path as NSString).deletingLastPathComponent, withIntermediateDirectories: true)
    try text.write(toFile: draft, atomically: false, encoding: .utf8)
    guard try run("install", ["-m", "700", draft, path]).code == 0 else { throw TestFailure("cannot write \(path)") }
    try FileManager.default.removeItem(atPath: draft)
}
