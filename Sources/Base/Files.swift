import Glibc

/// Whether a path names a folder, symbolic links followed.
package func isDirectory(_ path: String) -> Bool {
    var information = stat()
    return stat(path, &information) == 0 && information.st_mode & S_IFMT == S_IFDIR
}
