package import Archives
import Base
import Digests
import Glibc
package import Installations

/// A release of the core whose programs are scripts: as large, as broken and as slow as a test wants it.
package struct TestRelease {
    package var version: Version
    /// What the daemon's program does when it is started as one.
    package var daemon = "exit 1"
    /// What `--version` says; nil: the truth.
    package var claims: String?
    /// What `--check-config` does.
    package var check = "exit 0"
    /// Bytes that don't compress, so that unpacking takes more than one write.
    package var payload = 300_000
    /// More entries, after those that belong there.
    package var more: [(TarEntry, [UInt8])] = []

    package init(_ version: String) { self.version = Version(version)! }

    package var program: [UInt8] {
        var random = SeededGenerator(seed: UInt64(version.description.utf8.reduce(7) { $0 &* 31 &+ UInt64($1) }))
        let script = """
            #!/bin/sh
            case "$1" in
            --version) echo "${0##*/} \(claims ?? version.description)"; exit 0 ;;
            --check-config) \(check) ;;
            esac
            \(daemon)
            exit 1

            """
        var bytes = Array(script.utf8)
        for _ in 0..<(payload / 64) {
            bytes += (0..<8).flatMap { _ in Array(String(random.next(), radix: 36).utf8.prefix(8)) } + [0x0a]
        }
        return bytes
    }

    /// Writes the package into a folder.
    package func package(in folder: String) throws -> Package {
        let path = "\(folder)/codeai-hub-core-\(InstallationHome.currentPlatform)-\(version).tar.bz2"
        var archive: [UInt8] = []
        var unpacked = 0
        var writer = TarWriter { bytes throws(ArchiveError) in archive.append(contentsOf: bytes) }
        func add(_ entry: TarEntry, _ bytes: [UInt8]) throws {
            try writer.add(entry, bytes)
            unpacked += bytes.count
        }
        try add(TarEntry(path: "codeai-hub-core", size: 0, permissions: 0o755, modified: 0), program)
        try add(
            TarEntry(
                path: "codeai-hub", kind: .hardLink(to: "codeai-hub-core"), size: 0, permissions: 0o755, modified: 0),
            [])
        for name in ["VERSION", "LICENSE", "THIRD-PARTY-LICENSES"] {
            try add(
                TarEntry(path: name, size: 0, permissions: 0o644, modified: 0),
                Array((name == "VERSION" ? version.description : name).utf8) + [0x0a])
        }
        for (entry, bytes) in more { try add(entry, bytes) }
        try writer.finish()
        return try TestRelease.write(archive, path, .core, version, unpacked)
    }

    /// A module of a provider.
    package static func module(
        _ component: Component, _ version: Version, _ text: String = "{}", in folder: String
    ) throws -> Package {
        var archive: [UInt8] = []
        var writer = TarWriter { bytes throws(ArchiveError) in archive.append(contentsOf: bytes) }
        try writer.add(
            TarEntry(path: "module.json", size: 0, permissions: 0o644, modified: 0), Array(text.utf8))
        try writer.finish()
        return try write(archive, "\(folder)/module-\(version).tar.bz2", component, version, text.utf8.count)
    }

    private static func write(
        _ archive: [UInt8], _ path: String, _ component: Component, _ version: Version, _ unpacked: Int
    ) throws -> Package {
        try writeFile(path, archive)
        return Package(
            component: component, version: version, file: path, size: archive.count, sha1: sha1(archive),
            sha256: sha256(archive), unpackedSize: unpacked, source: "file://\(path)", signedBy: nil)
    }

    package static func sha256(_ bytes: [UInt8]) -> [UInt8] { Digests.sha256(bytes) }
}
