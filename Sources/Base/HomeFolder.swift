import Glibc

/// The folders of the user who runs this process, as all programs here find them.
package enum HomeFolder {
    /// Why there is none, for the person.
    package struct Missing: Error, Equatable, Sendable {
        package let message: String
    }

    /// Where the hub keeps everything of this user: `CODEAI_HUB_HOME`, else `.codeai-hub` in their own folder. Need not be
    /// there.
    package static func ofHub(_ variable: (String) -> String?) throws(Missing) -> String {
        if let path = variable("CODEAI_HUB_HOME"), !path.isEmpty {
            guard path.isAbsolutePath else {
                throw Missing(message: "CODEAI_HUB_HOME must be an absolute path, but is \(path)")
            }
            return path
        }
        guard let user = ofUser(variable) else {
            throw Missing(
                message: "this user has no home folder: set HOME, or CODEAI_HUB_HOME to an absolute path")
        }
        return user == "/" ? "/.codeai-hub" : user + "/.codeai-hub"
    }

    /// `HOME`, else what the system's list of users says: services and containers often start programs without the variable.
    ///
    /// - Returns: an absolute path; nil when neither says one.
    package static func ofUser(_ variable: (String) -> String?) -> String? {
        if let path = variable("HOME"), path.isAbsolutePath { return path }
        guard let entry = getpwuid(getuid()), let folder = entry.pointee.pw_dir else { return nil }
        let path = String(cString: folder)
        return path.isAbsolutePath ? path : nil
    }
}

/// The home folder of the user who runs this process; `/` when they have none.
package func homeDirectory() -> String {
    HomeFolder.ofUser { name in getenv(name).map { String(cString: $0) } } ?? "/"
}
