import Base
import JSON

/// The last entry of a backup: what must be in it, so that one that is cut off or changed is found out.
package struct BackupManifest: Equatable, Sendable {
    package struct File: Equatable, Sendable {
        package var path: String
        package var size: Int
        /// In hexadecimal digits.
        package var sha256: String
    }

    package var createdAt: String
    /// Of the program that made it.
    package var version: String
    package var files: [File]

    package var sessions: Int { files.count { $0.path.hasPrefix("sessions/") && $0.path.hasSuffix(".jsonl") } }
    package var bytes: Int { files.reduce(0) { $0 + $1.size } }

    var json: JSON {
        [
            "format": JSON(BackupLayout.format), "schema": JSON(BackupLayout.schema), "createdAt": JSON(createdAt),
            "version": JSON(version),
            "files": .array(
                files.map { ["path": JSON($0.path), "size": JSON($0.size), "sha256": JSON($0.sha256)] }),
        ]
    }

    init(createdAt: String, version: String, files: [File]) {
        self.createdAt = createdAt
        self.version = version
        self.files = files
    }

    /// Nil when it isn't one that this version reads.
    init?(_ json: JSON) {
        guard json["format"]?.stringValue == BackupLayout.format, json["schema"]?.intValue == BackupLayout.schema,
            let entries = json["files"]?.arrayValue
        else { return nil }
        createdAt = json["createdAt"]?.stringValue ?? ""
        version = json["version"]?.stringValue ?? ""
        files = []
        for entry in entries {
            guard let path = entry["path"]?.stringValue, let size = entry["size"]?.intValue,
                let sum = entry["sha256"]?.stringValue
            else { return nil }
            files.append(File(path: path, size: size, sha256: sum))
        }
    }
}
