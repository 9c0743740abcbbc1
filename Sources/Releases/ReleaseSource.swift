import Base
package import Downloads
import Glibc
package import Installations

/// Where releases come from: manifests, mirrors of one another.
package struct ReleaseSource: Sendable {
    /// The project's own releases.
    package static let standard =
        "https://github.com/OleynikAleksandr/CodeAI-Hub/releases/latest/download/manifest.json"

    /// In the order in which they are asked.
    package let manifests: [Location]
    /// The one package that may be taken, where a package was named and not a manifest.
    package let package: String?

    /// - Parameters:
    ///   - mirrors: addresses of manifests or of folders with one; none: the project's own.
    ///   - manifest: the manifest's file name where a folder is named.
    /// - Throws: `sourceInvalid`.
    package init(mirrors: [String], manifest: String = "manifest.json") throws(ReleaseError) {
        let texts = mirrors.isEmpty ? [ReleaseSource.standard] : mirrors
        var manifests: [Location] = []
        for text in texts { manifests.append(try ReleaseSource(text, manifest: manifest).manifests[0]) }
        self.manifests = manifests
        package = nil
    }

    /// What `--from` names: the address of a manifest, or a folder or package beside one; or their path on this machine.
    ///
    /// - Throws: `sourceInvalid`.
    package init(_ text: String, manifest: String = "manifest.json") throws(ReleaseError) {
        let isAddress = ["https:", "http:", "file:"].contains { text.hasPrefix($0) }
        let location = isAddress ? try ReleaseSource.location(text) : try ReleaseSource.location(ofFile: text)
        let address = "\(location)"
        guard !address.hasSuffix(".json") else {
            (manifests, package) = ([location], nil)
            return
        }
        if address.hasSuffix(".tar.bz2"), let name = address.split(separator: "/").last {
            let folder = String(address.dropLast(name.utf8.count))
            manifests = [try ReleaseSource.location(folder + manifest)]
            package = String(name)
        } else {
            manifests = [try ReleaseSource.location(address + (address.hasSuffix("/") ? "" : "/") + manifest)]
            package = nil
        }
    }

    private init(manifests: [Location], package: String?) {
        self.manifests = manifests
        self.package = package
    }

    /// The same mirrors' manifests of one version: where the manifest is that of the newest release, those of others lie
    /// in folders beside it. The manifest itself comes first: it may be that version's.
    package func of(version: Version) throws(ReleaseError) -> ReleaseSource {
        var all = manifests
        for location in manifests {
            let text = "\(location)"
            guard let slash = text.lastIndex(of: "/") else { continue }
            let (folder, name) = (text[...slash], text[slash...].dropFirst())
            let latest = "latest/download/"
            let place = folder.hasSuffix("/" + latest) ? folder.dropLast(latest.count) + "download/" : folder
            all.append(try ReleaseSource.location("\(place)v\(version)/\(name)"))
        }
        return ReleaseSource(manifests: all, package: package)
    }

    private static func location(_ text: some StringProtocol) throws(ReleaseError) -> Location {
        do throws(DownloadError) { return try Location(String(text)) } catch {
            throw ReleaseError(.sourceInvalid, error.message)
        }
    }

    private static func location(ofFile path: String) throws(ReleaseError) -> Location {
        guard let real = realpath(path, nil) else {
            throw ReleaseError(
                .sourceInvalid, "\(path) is neither an address, nor a folder or file: \(SystemError.text(of: errno))")
        }
        defer { free(real) }
        let absolute = String(cString: real)
        guard isDirectory(absolute) || absolute.hasSuffix(".json") || absolute.hasSuffix(".tar.bz2") else {
            throw ReleaseError(
                .sourceInvalid, "\(path) is neither a folder, a manifest (.json) nor a package (.tar.bz2)")
        }
        do throws(DownloadError) { return try Location(file: absolute) } catch {
            throw ReleaseError(.sourceInvalid, error.message)
        }
    }
}
