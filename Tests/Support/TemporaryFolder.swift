import Foundation

/// A folder of its own for a test; removed with its last reference unless `KEEP_TEST_HOMES` is set.
package final class TemporaryFolder: Sendable {
    package let path: String

    package init(_ name: String = "test") throws {
        var template = Array((NSTemporaryDirectory() + "/codeai-hub-\(name)-XXXXXX").utf8CString)
        guard mkdtemp(&template) != nil else { throw TestFailure("mkdtemp: \(String(cString: strerror(errno)))") }
        path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
            .replacingOccurrences(of: "//", with: "/")
    }

    deinit {
        if ProcessInfo.processInfo.environment["KEEP_TEST_HOMES"] != nil {
            print("kept: \(path)")
        } else {
            try? FileManager.default.removeItem(atPath: path)
        }
    }

    /// Writes a file, with its folders, readable for the owner only.
    package func write(_ name: String, _ text: String) throws {
        let file = path + "/" + name
        let folder = (file as NSString).deletingLastPathComponent
        try FileManager.default.createDirectory(
            atPath: folder, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
        guard
            FileManager.default.createFile(
                atPath: file, contents: Data(text.utf8), attributes: [.posixPermissions: 0o600])
        else { throw TestFailure("cannot write \(file)") }
    }

    /// The file's text; nil when there is none.
    package func read(_ name: String) -> String? {
        FileManager.default.contents(atPath: path + "/" + name).map { String(decoding: $0, as: UTF8.self) }
    }
}
