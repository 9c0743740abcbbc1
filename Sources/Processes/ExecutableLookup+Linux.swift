import Glibc

/// Finds programs the way a shell does.
package enum ExecutableLookup {
    /// The full path of `name` by a search path like `/usr/bin:/bin`; a name with a slash stands for itself.
    /// nil when there is no executable regular file of that name.
    package static func find(_ name: String, searchPath: String) -> String? {
        if name.utf8.contains(UInt8(ascii: "/")) { return isExecutable(name) ? name : nil }
        guard !name.isEmpty else { return nil }
        for directory in searchPath.split(separator: ":") {
            // Relative entries would make the result depend on where the daemon was started.
            guard directory.utf8.first == UInt8(ascii: "/") else { continue }
            let path = "\(directory)/\(name)"
            if isExecutable(path) { return path }
        }
        return nil
    }

    private static func isExecutable(_ path: String) -> Bool {
        var status = stat()
        return stat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFREG && access(path, X_OK) == 0
    }
}
