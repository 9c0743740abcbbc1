package import Archives
import Base
import Digests
package import JSON

extension TestMirror {
    package var modulesManifest: String { path + "/providers-manifest.json" }

    /// Makes the package of a provider's module, and names it in `providers-manifest.json` beside those that are there.
    ///
    /// - Parameters:
    ///   - text: of the module; nil: the built-in agent under another name.
    ///   - name: of the file with it; nil: there is none.
    ///   - more: entries after it.
    ///   - edit: changes what the manifest says of the package.
    package func publish(
        module id: String, _ version: String, _ text: String? = nil, name: String? = "module.json",
        more: [(TarEntry, [UInt8])] = [], edit: (inout JSONObject) -> Void = { _ in }
    ) throws {
        var archive: [UInt8] = []
        var writer = TarWriter { bytes throws(ArchiveError) in archive.append(contentsOf: bytes) }
        if let name {
            try writer.add(
                TarEntry(path: name, size: 0, permissions: 0o644, modified: 0),
                Array((text ?? TestMirror.module(id, version)).utf8))
        }
        for (entry, bytes) in more { try writer.add(entry, bytes) }
        try writer.finish()
        let package = "codeai-hub-provider-\(id)-\(version).tar.bz2"
        try writeFile("\(path)/\(package)", archive)
        var entry: JSONObject = [
            "version": JSON(version), "package": JSON(package), "size": JSON(archive.count),
            "sha1": JSON(hexadecimal(sha1(archive))), "sha256": JSON(hexadecimal(sha256(archive))),
        ]
        edit(&entry)
        let before = (try? readFile(modulesManifest)).flatMap { try? JSON.parse($0) }
        var providers = before?["providers"]?.objectValue ?? [:]
        providers[id] = .object(entry)
        try writeFile(modulesManifest, JSON.object(["schema": 1, "providers": .object(providers)]).serialize())
        try signModules(with: key)
    }

    package func signModules(with key: TestKey) throws {
        try writeFile(modulesManifest + ".sig", Array(key.signature(of: try readFile(modulesManifest)).utf8))
    }

    /// The built-in agent as somebody else's module.
    package static func module(_ id: String, _ version: String, _ members: JSONObject = [:]) -> String {
        let module: JSONObject = [
            "id": JSON(id), "moduleVersion": JSON(version), "name": JSON("\(id) \(version)"), "adapter": "acp",
            "command": ["${self}"], "arguments": ["echo-agent"], "environment": ["MODULE": JSON(version)],
        ]
        return JSON.object(module.merging(members)).description
    }
}
