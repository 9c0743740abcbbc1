import Base
package import Installations
import JSON

/// One package of a manifest: what is offered for a platform, or of a provider.
package struct ManifestEntry: Equatable, Sendable {
    /// Of what is in the package.
    package var version: Version
    /// A plain file name.
    package var package: String
    /// Bytes of the package, 1 to `ManifestEntry.largestPackage`.
    package var size: Int
    /// 20 bytes. Existing clients check it; nothing depends on it alone.
    package var sha1: [UInt8]
    /// 32 bytes.
    package var sha256: [UInt8]
    /// Bytes of its files, unpacked; nil where the manifest doesn't say.
    package var unpackedSize: Int?
    /// The oldest core that understands a provider's module.
    package var minimumCore: Version?

    /// Far more than a release has, far less than a disk.
    package static let largestPackage = 1 << 30

    package init(
        version: Version, package: String, size: Int, sha1: [UInt8], sha256: [UInt8], unpackedSize: Int? = nil,
        minimumCore: Version? = nil
    ) {
        self.version = version
        self.package = package
        self.size = size
        self.sha1 = sha1
        self.sha256 = sha256
        self.unpackedSize = unpackedSize
        self.minimumCore = minimumCore
    }
}

/// What a release consists of: `manifest.json`.
package struct Manifest: Equatable, Sendable {
    /// Folders with the packages, mirrors one after the other, as written: relative ones count from the manifest. None: they
    /// lie beside it.
    package var baseURLs: [String]
    /// Markdown of what is new.
    package var notes: String?
    /// By platform, such as `linux-x64`.
    package var platforms: [String: ManifestEntry]

    /// - Throws: `manifestInvalid`.
    package init(_ bytes: [UInt8]) throws(ReleaseError) {
        let root = try ManifestReader.root(bytes)
        baseURLs = try root.baseURLs()
        notes = try root.text("notes", limit: 64 << 10)
        platforms = try root.entries("platforms", version: "coreVersion")
    }
}

/// Modules of providers that can be had: `providers-manifest.json`.
package struct ProvidersManifest: Equatable, Sendable {
    /// As those of `Manifest`.
    package var baseURLs: [String]
    /// By the provider's identifier.
    package var providers: [String: ManifestEntry]

    /// - Throws: `manifestInvalid`.
    package init(_ bytes: [UInt8]) throws(ReleaseError) {
        let root = try ManifestReader.root(bytes)
        baseURLs = try root.baseURLs()
        providers = try root.entries("providers", version: "version")
    }
}

/// Reads members with their place in the manifest, and says where something is wrong.
private struct ManifestReader {
    let object: JSONObject
    /// For errors: `platforms.linux-x64`.
    let path: String

    /// The whole of a manifest whose schema is the one that is known here.
    static func root(_ bytes: [UInt8]) throws(ReleaseError) -> ManifestReader {
        let json: JSON
        do throws(JSONError) {
            json = try JSON.parse(bytes, limits: .init(depth: 8))
        } catch {
            throw ReleaseError(.manifestInvalid, "the manifest is no JSON: \(error)")
        }
        guard let object = json.objectValue else {
            throw ReleaseError(.manifestInvalid, "the manifest is no JSON object")
        }
        let reader = ManifestReader(object: object, path: "")
        guard object["schema"]?.intValue == 1 else {
            throw reader.problem("schema", "must be 1: a newer program is needed for anything else")
        }
        return reader
    }

    func problem(_ member: String, _ what: String) -> ReleaseError {
        ReleaseError(.manifestInvalid, "in the manifest, \(path.isEmpty ? member : "\(path).\(member)") \(what)")
    }

    /// An optional text.
    func text(_ member: String, limit: Int) throws(ReleaseError) -> String? {
        guard let value = object[member], !value.isNull else { return nil }
        guard let text = value.stringValue, text.utf8.count <= limit else {
            throw problem(member, "must be a text of at most \(limit) bytes")
        }
        return text
    }

    /// None: the manifest's own folder.
    func baseURLs() throws(ReleaseError) -> [String] {
        guard let value = object["baseUrl"], !value.isNull else { return [] }
        let texts = value.stringValue.map { [$0] } ?? value.arrayValue?.compactMap(\.stringValue) ?? []
        let isWhole = texts.count == (value.arrayValue?.count ?? 1)
        guard isWhole, (1...32).contains(texts.count), texts.allSatisfy({ $0.utf8.count <= 2048 }) else {
            throw problem("baseUrl", "must be an address, or a list of 1 to 32")
        }
        return texts
    }

    func entries(_ member: String, version: String) throws(ReleaseError) -> [String: ManifestEntry] {
        guard let object = object[member]?.objectValue, object.count <= 256 else {
            throw problem(member, "must be an object of at most 256 members")
        }
        var entries: [String: ManifestEntry] = [:]
        for (name, value) in object {
            guard PlainName.isPlain(name) else { throw problem(member, "has a member whose name can't be in a path") }
            guard let members = value.objectValue else { throw problem("\(member).\(name)", "must be an object") }
            let reader = ManifestReader(object: members, path: "\(member).\(name)")
            entries[name] = try reader.entry(version: version)
        }
        return entries
    }

    private func entry(version: String) throws(ReleaseError) -> ManifestEntry {
        ManifestEntry(
            version: try self.version(version), package: try plain("package"),
            size: try number("size", 1...ManifestEntry.largestPackage), sha1: try digest("sha1", 20),
            sha256: try digest("sha256", 32),
            unpackedSize: object["unpackedSize"] == nil ? nil : try number("unpackedSize", 1...(4 << 30)),
            minimumCore: object["minimumCore"] == nil ? nil : try self.version("minimumCore"))
    }

    /// What becomes a part of a path.
    private func plain(_ member: String) throws(ReleaseError) -> String {
        guard let text = object[member]?.stringValue, PlainName.isPlain(text) else {
            throw problem(member, "must be a plain name: letters, digits, . - + _, at most 128, the first no dot")
        }
        return text
    }

    private func version(_ member: String) throws(ReleaseError) -> Version {
        guard let version = object[member]?.stringValue.flatMap({ Version($0) }) else {
            throw problem(member, "must be a version, such as 1.2.3 or 1.2.3-rc.1")
        }
        return version
    }

    private func number(_ member: String, _ range: ClosedRange<Int>) throws(ReleaseError) -> Int {
        guard let number = object[member]?.intValue, range.contains(number) else {
            throw problem(member, "must be a whole number, \(range.lowerBound) to \(range.upperBound)")
        }
        return number
    }

    private func digest(_ member: String, _ count: Int) throws(ReleaseError) -> [UInt8] {
        guard let text = object[member]?.stringValue, let bytes = unhexadecimal(text), bytes.count == count else {
            throw problem(member, "must be \(2 * count) hexadecimal digits: a package without a sum is not installed")
        }
        return bytes
    }

    private func unhexadecimal(_ text: String) -> [UInt8]? {
        let digits = text.utf8.map { Character(Unicode.Scalar($0)).hexDigitValue }
        guard digits.count.isMultiple(of: 2), !digits.contains(nil) else { return nil }
        return stride(from: 0, to: digits.count, by: 2).map { UInt8(digits[$0]! << 4 | digits[$0 + 1]!) }
    }
}

/// Names that can stand in a path as they are.
package enum PlainName {
    package static func isPlain(_ text: String) -> Bool {
        guard (1...128).contains(text.utf8.count), let first = text.utf8.first, isAlphanumeric(first) else {
            return false
        }
        return text.utf8.allSatisfy { isAlphanumeric($0) || [0x2b, 0x2d, 0x2e, 0x5f].contains($0) }
    }

    private static func isAlphanumeric(_ byte: UInt8) -> Bool {
        switch byte {
        case 0x30...0x39, 0x41...0x5a, 0x61...0x7a: true
        default: false
        }
    }
}
