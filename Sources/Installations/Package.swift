import Base

/// A downloaded package, and what was announced of it.
package struct Package: Equatable, Sendable {
    package var component: Component
    package var version: Version
    /// The file, absolute.
    package var file: String
    /// In bytes.
    package var size: Int
    /// Nil when nobody announced one, which only a package that somebody gave by hand may lack.
    package var sha1: [UInt8]?
    package var sha256: [UInt8]
    /// What all its files have together at most, in bytes; nil when it wasn't announced.
    package var unpackedSize: Int?
    /// Where it came from, for people: a URL or a path.
    package var source: String
    /// The number of the key that signed the announcement, hexadecimal; nil when nobody did.
    package var signedBy: String?

    package init(
        component: Component = .core, version: Version, file: String, size: Int, sha1: [UInt8]?, sha256: [UInt8],
        unpackedSize: Int? = nil, source: String, signedBy: String? = nil
    ) {
        self.component = component
        self.version = version
        self.file = file
        self.size = size
        self.sha1 = sha1
        self.sha256 = sha256
        self.unpackedSize = unpackedSize
        self.source = source
        self.signedBy = signedBy
    }

    var name: String { file.lastPathPart }
}
