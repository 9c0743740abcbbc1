import Base
import Client
import Glibc
import JSON

/// What lies on the disk: the home, the token, room for more.
extension Doctor {
    private static let folders = ["", "/core", "/sessions", "/providers", "/logs", "/backups"]

    /// - Returns: whether there is anything to look into.
    mutating func examineHome() -> Bool {
        var information = stat()
        guard lstat(home.path, &information) == 0 else {
            if errno == ENOENT {
                add("home", .warning, "\(home.path) is not there yet", mend: "codeai-hub start")
            } else {
                add(
                    "home", .problem, "\(SystemError.current("look at \(home.path)"))",
                    mend: "ls -ld \(quoted(home.path))")
            }
            return false
        }
        if information.st_mode & S_IFMT == S_IFLNK {
            add(
                "home", .warning, "\(home.path) is a symbolic link: who can replace it decides what runs as you",
                mend: "set CODEAI_HUB_HOME to the folder itself")
        }
        for folder in Doctor.folders { examine(folder: home.path + folder) }
        guard isDirectory(home.path) else { return false }
        guard access(home.path, R_OK | W_OK | X_OK) == 0 else {
            add("home", .problem, "\(home.path) can't be read and written", mend: "chmod u+rwx \(quoted(home.path))")
            return false
        }
        if !hasProblem("home") { add("home", .ok, "\(home.path), yours alone") }
        return true
    }

    private mutating func examine(folder: String) {
        var information = stat()
        // What is missing the daemon makes.
        guard stat(folder, &information) == 0 else { return }
        guard information.st_mode & S_IFMT == S_IFDIR else {
            return add(
                "home", .problem, "\(folder) is no folder", mend: "mv \(quoted(folder)) \(quoted(folder + ".old"))")
        }
        guard information.st_uid == getuid() else {
            return add(
                "home", .problem, "\(folder) belongs to another user (\(information.st_uid))",
                mend: "sudo chown -R \"$(id -un)\" \(quoted(folder))")
        }
        let mode = information.st_mode & 0o777
        if mode & 0o022 != 0 {
            add(
                "home", .problem, "others may write to \(folder) (mode \(String(mode, radix: 8)))",
                mend: "chmod 700 \(quoted(folder))"
            ) { chmod(folder, 0o700) == 0 }
        } else if mode & 0o055 != 0, folder == home.path {
            add(
                "home", .warning, "others may look into \(folder) (mode \(String(mode, radix: 8)))",
                mend: "chmod 700 \(quoted(folder))"
            ) { chmod(folder, 0o700) == 0 }
        }
    }

    mutating func examineToken() {
        let path = home.path + "/core/token"
        var information = stat()
        guard lstat(path, &information) == 0 else {
            return add("token", .ok, "not there yet: the daemon makes it at its start")
        }
        guard information.st_mode & S_IFMT == S_IFREG, information.st_uid == getuid() else {
            return add(
                "token", .problem, "\(path) is no file of yours",
                mend: "rm \(quoted(path)), then codeai-hub restart")
        }
        if information.st_mode & 0o077 != 0 {
            add(
                "token", .problem, "others may read \(path): whoever has it can act as you",
                mend: "chmod 600 \(quoted(path)); if somebody may have read it, remove it and restart the daemon"
            ) { chmod(path, 0o600) == 0 }
        }
        let bytes = (try? readFile(path, limit: 1024)) ?? []
        guard bytes.count(where: { $0 > 32 }) == 64 else {
            return add(
                "token", .problem, "\(path) holds no token",
                mend: "rm \(quoted(path)), then codeai-hub restart")
        }
        if !hasProblem("token") { add("token", .ok, "readable for you alone") }
    }

    // MARK: Room

    mutating func examineDisk() {
        examineRoom(home.path, "the home")
        examineRoom(environmentVariable("TMPDIR").flatMap { $0.isEmpty ? nil : $0 } ?? "/tmp", "temporary files")
    }

    private mutating func examineRoom(_ path: String, _ what: String) {
        var path = path
        var information = statvfs()
        // The home may not be there yet: what counts is where it will be.
        while statvfs(path, &information) != 0, path != "/", let parent = path.parentPath { path = parent }
        let free = Int(information.f_bavail) * Int(information.f_frsize)
        let size = "\(free >> 20) MiB free for \(what) (\(path))"
        if free < 64 << 20 {
            add("disk", .problem, size, mend: "make room: du -xh \(quoted(path)) | sort -h | tail")
        } else if free < 1 << 30 {
            add("disk", .warning, size, mend: "make room: du -xh \(quoted(path)) | sort -h | tail")
        } else {
            add("disk", .ok, size)
        }
        // File systems without a fixed number of inodes say 0.
        if information.f_files > 0, information.f_favail < 1000 {
            add(
                "disk", information.f_favail < 100 ? .problem : .warning,
                "\(information.f_favail) more files can be made for \(what) (\(path))",
                mend: "remove files: du -x --inodes \(quoted(path)) | sort -n | tail")
        }
    }

    /// For a shell.
    func quoted(_ path: String) -> String {
        let isPlain = path.utf8.allSatisfy { byte in
            switch byte {
            case 0x2f, 0x2e, 0x2d, 0x5f, 0x30...0x39, 0x41...0x5a, 0x61...0x7a: true
            default: false
            }
        }
        guard !isPlain else { return path }
        return "'" + path.split(separator: "'", omittingEmptySubsequences: false).joined(separator: "'\\''") + "'"
    }
}
