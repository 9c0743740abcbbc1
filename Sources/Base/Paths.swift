// A path ends its parts where the kernel sees a `/`: at a byte. To Swift a `/` before a combining mark is another
// character than `/`, and whoever looks for that one looks past a folder. Hence these, for paths that others can name.

private let slash = UInt8(ascii: "/")

extension String {
    /// Whether a path begins at the root.
    package var isAbsolutePath: Bool { utf8.first == slash }

    /// What stands before the last `/`, `/` itself for what lies in the root; nil when there is none.
    package var parentPath: String? {
        guard let end = utf8.lastIndex(of: slash) else { return nil }
        return end == startIndex ? "/" : String(self[..<end])
    }

    /// What stands behind the last `/`; everything when there is none.
    package var lastPathPart: String {
        guard let end = utf8.lastIndex(of: slash) else { return self }
        return String(self[utf8.index(after: end)...])
    }

    /// What stands between one `/` and the next, empty parts too.
    package var pathParts: [String] {
        utf8.split(separator: slash, omittingEmptySubsequences: false).map { String(decoding: $0, as: UTF8.self) }
    }
}
