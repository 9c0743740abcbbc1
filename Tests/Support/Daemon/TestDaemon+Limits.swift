import CLinux
import Foundation

extension TestDaemon {
    /// What the kernel limits (getrlimit(2)).
    package enum Limit: Int32 {
        /// Bytes of a file: stands in for a full disk.
        case fileSize = 1
        /// Processes of the daemon's user; root has no such limit.
        case processes = 6
        case descriptors = 7
    }

    /// Changes a soft limit of the running daemon; nil lifts it again.
    package func limit(_ limit: Limit, to value: Int?) throws {
        let name =
            switch limit {
            case .fileSize: "--fsize"
            case .processes: "--nproc"
            case .descriptors: "--nofile"
            }
        let text = value.map { "\($0)" } ?? hardLimit(limit)
        // Of a process of another user only that one may change them.
        let command = launcher + ["/usr/bin/prlimit", "--pid", "\(pid)", "\(name)=\(text):"]
        let result = try run(command[0], Array(command.dropFirst()))
        guard result.code == 0 else { throw TestFailure("\(command): \(result.errors)") }
    }

    private func hardLimit(_ limit: Limit) -> String {
        let names: [Limit: String] = [
            .fileSize: "Max file size", .processes: "Max processes", .descriptors: "Max open files",
        ]
        let text = (try? String(contentsOfFile: "/proc/\(pid)/limits", encoding: .utf8)) ?? ""
        guard let line = text.split(separator: "\n").first(where: { $0.hasPrefix(names[limit] ?? "?") }) else {
            return "unlimited"
        }
        return line.dropFirst(26).split(separator: " ").dropFirst().first.map(String.init) ?? "unlimited"
    }

    /// From the next start on the daemon runs as this user, with a program and a home of their own. Only root can ask
    /// for that.
    package func runAs(user: UInt32) throws {
        let copy = folder.path + "/codeai-hub-core"
        try FileManager.default.copyItem(atPath: TestDaemon.executable, toPath: copy)
        program = copy
        sendsToken = true
        launcher = ["/usr/bin/setpriv", "--reuid=\(user)", "--regid=\(user)", "--clear-groups"]
        for path in [folder.path]
            + (FileManager.default.subpaths(atPath: folder.path) ?? []).map({ folder.path + "/" + $0 })
        {
            guard lchown(path, user, user) == 0 else { throw TestFailure("chown \(path)") }
        }
    }
}
