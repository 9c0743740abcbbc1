import Glibc

/// This user's systemd, by its command `systemctl --user`.
package struct UserManager: Sendable {
    package static let service = "codeai-hub.service"
    package static let socket = "codeai-hub.socket"

    private let program: String
    private let home: HubHome
    private let variables: [String: String]

    /// - Returns: nil when there is no `systemctl`.
    package init?(home: HubHome) {
        guard let program = DaemonProcess.find("systemctl") else { return nil }
        self.program = program
        self.home = home
        variables = UserManager.variables()
    }

    /// A login without PAM, such as `su`, doesn't say where the manager is; the folder has a fixed name.
    package static func variables() -> [String: String] {
        if let folder = environmentVariable("XDG_RUNTIME_DIR"), !folder.isEmpty { return [:] }
        let folder = "/run/user/\(getuid())"
        return access(folder + "/systemd", F_OK) == 0 ? ["XDG_RUNTIME_DIR": folder] : [:]
    }

    package func call(_ arguments: String...) -> (code: Int32, text: String) { call(arguments) }

    /// Blocks until `systemctl` has ended.
    /// - Returns: its exit code, and what it said on both of its outputs.
    package func call(_ arguments: [String]) -> (code: Int32, text: String) {
        guard
            let (code, output) = DaemonProcess.capture(
                program, ["--user", "--no-pager", "--no-ask-password"] + arguments, home: home, variables: variables)
        else { return (127, "\(program) can't be started") }
        return (code, String(decoding: output, as: UTF8.self))
    }

    /// Properties of a unit, by name.
    package func show(_ unit: String, _ names: [String]) -> [String: String] {
        var result: [String: String] = [:]
        for line in call("show", unit, "--property=" + names.joined(separator: ",")).text.split(separator: "\n") {
            guard let equals = line.firstIndex(of: "=") else { continue }
            result[String(line[..<equals])] = String(line[line.index(after: equals)...])
        }
        return result
    }
}
