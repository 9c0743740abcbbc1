/// What a tar archive is made of: POSIX ustar (IEEE Std 1003.1, pax), blocks of 512 bytes.
enum TarFormat {
    static let block = 512
    /// Places of the fields in a header.
    static let name = 0..<100
    static let mode = 100..<108
    static let user = 108..<116
    static let group = 116..<124
    static let size = 124..<136
    static let time = 136..<148
    static let checksum = 148..<156
    static let type = 156
    static let link = 157..<257
    static let magic = 257..<265
    static let prefix = 345..<500

    /// The sum of all bytes of a header, its own field counted as spaces.
    static func sum(of header: UnsafeRawBufferPointer) -> Int {
        header.enumerated().reduce(0) { $0 + (checksum.contains($1.offset) ? 0x20 : Int($1.element)) }
    }

    /// Bytes that fill a block up.
    static func padding(after count: Int) -> Int { (block - count % block) % block }
}

/// Something in an archive.
package struct TarEntry: Equatable, Sendable {
    package enum Kind: Equatable, Sendable {
        case file, folder
        /// The same file as an earlier entry of the archive, whose path it is; a second name for it.
        case hardLink(to: String)
    }

    /// Relative, its parts separated by slashes, none of them empty, `.` or `..`.
    package var path: String
    package var kind: Kind
    /// In bytes; 0 for a folder and for a link.
    package var size: Int
    /// The lowest nine bits of the mode.
    package var permissions: UInt32
    /// Seconds since 1970.
    package var modified: Int

    package init(path: String, kind: Kind = .file, size: Int, permissions: UInt32 = 0o600, modified: Int) {
        self.path = path
        self.kind = kind
        self.size = size
        self.permissions = permissions
        self.modified = modified
    }
}
