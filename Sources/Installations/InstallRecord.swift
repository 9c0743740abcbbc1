package import Base
import CLinux
import Digests
import Glibc
package import JSON

/// `install.json` in a version's folder: where it came from, and each file as it was unpacked.
package struct InstallRecord: Equatable, Sendable {
    static let name = "install.json"

    package struct File: Equatable, Sendable {
        /// Below the version's folder.
        package var path: String
        package var size: Int
        /// Hexadecimal.
        package var sha256: String
        /// 0755 or 0644.
        package var mode: UInt32
    }

    package var component: Component
    package var version: Version
    package var platform: String
    /// The name of the package.
    package var package: String
    /// Of the package, in bytes.
    package var size: Int
    /// Of the package, hexadecimal.
    package var sha1: String
    package var sha256: String
    /// Of all files, in bytes.
    package var unpackedSize: Int
    package var source: String
    /// The number of the key; nil when it wasn't signed.
    package var signedBy: String?
    package var installedAt: Timestamp
    package var files: [File]

    package var json: JSON {
        var object: JSONObject = [
            "schema": 1, "component": JSON(component.description), "version": JSON(version.description),
            "platform": JSON(platform), "package": JSON(package), "size": JSON(size), "sha1": JSON(sha1),
            "sha256": JSON(sha256), "unpackedSize": JSON(unpackedSize), "source": JSON(source),
        ]
        object["signedBy"] = signedBy.map { JSON($0) }
        object["installedAt"] = JSON(installedAt.description)
        object["files"] = .array(
            files.map {
                [
                    "path": JSON($0.path), "size": JSON($0.size), "sha256": JSON($0.sha256),
                    "mode": JSON("0" + String($0.mode, radix: 8)),
                ]
            })
        return .object(object)
    }

    /// The record in a folder; nil when there is none that makes sense.
    static func read(_ folder: String) -> InstallRecord? {
        guard let bytes = try? readFile(folder + "/" + name, limit: 4 << 20), let json = try? JSON.parse(bytes) else {
            return nil
        }
        return InstallRecord(json)
    }

    package init?(_ json: JSON) {
        guard json["schema"]?.intValue == 1, let component = json["component"]?.stringValue.flatMap({ Component($0) }),
            let version = json["version"]?.stringValue.flatMap({ Version($0) }),
            let entries = json["files"]?.arrayValue, !entries.isEmpty,
            let at = json["installedAt"]?.stringValue.flatMap({ Timestamp($0) })
        else { return nil }
        var files: [File] = []
        for entry in entries {
            guard let path = entry["path"]?.stringValue, PackageLayout.isAllowed(path),
                let size = entry["size"]?.intValue, let sha256 = entry["sha256"]?.stringValue,
                let mode = entry["mode"]?.stringValue.flatMap({ UInt32($0, radix: 8) })
            else { return nil }
            files.append(File(path: path, size: size, sha256: sha256, mode: mode))
        }
        self.init(
            component: component, version: version, platform: json["platform"]?.stringValue ?? "",
            package: json["package"]?.stringValue ?? "", size: json["size"]?.intValue ?? 0,
            sha1: json["sha1"]?.stringValue ?? "", sha256: json["sha256"]?.stringValue ?? "",
            unpackedSize: json["unpackedSize"]?.intValue ?? 0, source: json["source"]?.stringValue ?? "",
            signedBy: json["signedBy"]?.stringValue, installedAt: at, files: files)
    }

    init(
        component: Component, version: Version, platform: String, package: String, size: Int, sha1: String,
        sha256: String, unpackedSize: Int, source: String, signedBy: String?, installedAt: Timestamp, files: [File]
    ) {
        self.component = component
        self.version = version
        self.platform = platform
        self.package = package
        self.size = size
        self.sha1 = sha1
        self.sha256 = sha256
        self.unpackedSize = unpackedSize
        self.source = source
        self.signedBy = signedBy
        self.installedAt = installedAt
        self.files = files
    }

    // MARK: Comparing

    /// Whether the files are there, by name and size.
    func looksWhole(in folder: String) -> Bool {
        let paths = Set(files.map(\.path))
        guard component.requiredFiles.allSatisfy(paths.contains) else { return false }
        return files.allSatisfy { file in
            var information = stat()
            return lstat("\(folder)/\(file.path)", &information) == 0 && information.st_mode & S_IFMT == S_IFREG
                && Int(information.st_size) == file.size
        }
    }

    /// What isn't as it was installed.
    func flaws(in folder: String) -> [String] {
        let directory = open(folder, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
        guard directory >= 0 else { return ["\(SystemError.current("open \(folder)"))"] }
        defer { close(directory) }
        let missing = Set(component.requiredFiles).subtracting(files.map(\.path)).sorted()
        var flaws = missing.map { "install.json doesn't name \($0)" }
        flaws += files.compactMap { file in InstallRecord.flaw(of: file, in: directory).map { "\(file.path) \($0)" } }
        let known = Set(files.map(\.path) + [InstallRecord.name])
        flaws += InstallRecord.paths(in: folder).filter { !known.contains($0) }.map { "\($0) was not installed" }
        return flaws
    }

    private static func flaw(of file: File, in directory: Int32) -> String? {
        let descriptor = clinux_open_beneath(directory, file.path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK, 0)
        guard descriptor >= 0 else {
            return errno == ENOENT ? "is missing" : "can't be read: \(SystemError.text(of: errno))"
        }
        defer { close(descriptor) }
        var information = stat()
        guard fstat(descriptor, &information) == 0, information.st_mode & S_IFMT == S_IFREG else { return "is no file" }
        guard information.st_uid == geteuid() || information.st_uid == 0 else { return "belongs to another user" }
        guard information.st_mode & 0o022 == 0 else { return "can be changed by others" }
        guard information.st_mode & 0o111 == file.mode & 0o111 else { return "has other permissions" }
        guard Int(information.st_size) == file.size else { return "has another size" }
        var digest = SHA256Stream()
        var offset = 0
        while offset < file.size {
            guard let piece = try? readAll(descriptor, from: offset, count: min(1 << 20, file.size - offset)),
                !piece.isEmpty
            else { return "can't be read" }
            digest.update(piece)
            offset += piece.count
        }
        return hexadecimal(digest.finish()) == file.sha256 ? nil : "has other bytes"
    }

    /// All files below a folder.
    private static func paths(in folder: String, _ prefix: String = "") -> [String] {
        (folderEntries(folder) ?? []).flatMap { name in
            var information = stat()
            let isFolder = lstat("\(folder)/\(name)", &information) == 0 && information.st_mode & S_IFMT == S_IFDIR
            return isFolder ? paths(in: "\(folder)/\(name)", prefix + name + "/") : [prefix + name]
        }
    }
}

/// What may be in a package, whatever it is of.
enum PackageLayout {
    static let entries = 1000
    /// Of all files, where nothing smaller was announced.
    static let bytes = 512 << 20
    static let pathBytes = 255
    private static let depth = 8

    /// Names of letters, digits, `.`, `_`, `-` and `+`, which mean the same everywhere; none that we write ourselves.
    static func isAllowed(_ path: String) -> Bool {
        let parts = path.pathParts
        return path.utf8.count <= pathBytes && parts.count <= depth && path.lowercased() != InstallRecord.name
            && parts.allSatisfy { part in
                part != "" && part != "." && part != ".."
                    && part.utf8.allSatisfy { byte in
                        switch byte {
                        case 0x30...0x39, 0x41...0x5a, 0x61...0x7a: true
                        default: Array("._-+".utf8).contains(byte)
                        }
                    }
            }
    }
}
