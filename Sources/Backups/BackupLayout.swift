import Base

/// What a backup of a home holds.
enum BackupLayout {
    static let manifest = "manifest.json"
    static let format = "codeai-hub-backup"
    static let schema = 1

    /// What a restore replaces, whether or not the backup has it. The token is not among them, nor are logs of the daemon
    /// and what can be made again: installed programs, indexes.
    static let items = [
        "sessions", "core/config.json", "core/state.json", "core/usage.jsonl", "core/prices.json",
    ]
    /// The person's own manifests, `providers/<id>/module.json`, each an item of its own.
    static func isManifest(_ path: String) -> Bool {
        let parts = path.split(separator: "/")
        return parts.count == 3 && parts[0] == "providers" && isName(parts[1]) && parts[2] == "module.json"
    }

    /// Files of a session: its log, and what was found damaged in it.
    static func isSessionFile(_ name: Substring) -> Bool {
        guard let end = name.firstRange(ofText: ".jsonl"), isName(name[..<end.lowerBound]),
            name[..<end.lowerBound] != "index"
        else {
            return false
        }
        let rest = name[end.upperBound...]
        return rest.isEmpty
            || (rest.hasPrefix(".") && rest != ".part" && rest.utf8.count <= 100
                && rest.utf8.allSatisfy { isNameByte($0) || $0 == UInt8(ascii: ".") })
    }

    /// Whether a path can be in a backup.
    static func isAllowed(_ path: String) -> Bool {
        if path == manifest || isManifest(path) { return true }
        if path.hasPrefix("sessions/") { return isSessionFile(path.dropFirst("sessions/".utf8.count)) }
        return items.contains(path) && path != "sessions"
    }

    private static func isName(_ name: Substring) -> Bool {
        (1...64).contains(name.utf8.count) && name.utf8.allSatisfy(isNameByte)
    }

    private static func isNameByte(_ byte: UInt8) -> Bool {
        switch byte {
        case 0x30...0x39, 0x41...0x5a, 0x61...0x7a, UInt8(ascii: "_"), UInt8(ascii: "-"): true
        default: false
        }
    }
}
