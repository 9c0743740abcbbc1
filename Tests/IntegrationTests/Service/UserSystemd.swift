import Foundation
import TestSupport

/// A systemd of its own for a test, as `user@.service` runs one for each user who logs in: with a runtime folder, a control
/// group and a view of /run/systemd of its own, so that it and the machine's don't meet.
///
/// It needs root for the control group. Where it can't be had, the test that asks for it fails; whoever knows that their
/// machine has none says so with CODEAI_HUB_TEST_WITHOUT_SYSTEMD=1.
final class UserSystemd {
    let environment: [String: String]
    private let folder: TemporaryFolder
    private let program: RunningProgram
    private let group: String

    /// Whether somebody has said that there is none here.
    static var isGivenUp: Bool { ProcessInfo.processInfo.environment["CODEAI_HUB_TEST_WITHOUT_SYSTEMD"] == "1" }

    private static let script = """
        set -eu
        mount -t tmpfs -o mode=755 none /run/systemd
        # Without it systemd believes that another init runs the machine.
        mkdir /run/systemd/system
        mount -t cgroup2 none /sys/fs/cgroup
        mkdir "/sys/fs/cgroup/$GROUP"
        echo $$ > "/sys/fs/cgroup/$GROUP/cgroup.procs"
        # Not for ever, whatever becomes of the tests.
        exec timeout --kill-after=5 150 /lib/systemd/systemd --user
        """

    init(_ home: TestDaemon) throws {
        folder = try TemporaryFolder("systemd")
        group = (folder.path as NSString).lastPathComponent
        chmod(folder.path, 0o700)
        for name in ["run", "config"] { mkdir(folder.path + "/" + name, 0o700) }
        environment = home.environment.merging([
            "XDG_RUNTIME_DIR": folder.path + "/run", "XDG_CONFIG_HOME": folder.path + "/config", "CORE_PORT": "",
            "GROUP": group, "SYSTEMD_LOG_TARGET": "console", "SYSTEMD_COLORS": "0",
        ]) { $1 }
        program = try RunningProgram(
            "unshare", ["--mount", "--propagation", "private", "sh", "-c", UserSystemd.script], environment: environment
        )
        do {
            try eventually("systemd runs", within: .seconds(20)) {
                guard program.isRunning else { throw TestFailure("it has ended") }
                let state = try control("show", "--property=SystemState", "--value").output
                return ["running", "degraded"].contains(state.split(separator: "\n").first)
            }
        } catch {
            throw TestFailure(
                """
                no systemd of a user can be run here (\(error)): \(program.soFar.text.suffix(1000))
                It takes root, the package systemd and control groups of version 2. Where they can't be had, say so: \
                CODEAI_HUB_TEST_WITHOUT_SYSTEMD=1
                """)
        }
    }

    deinit {
        // It ends what it has started.
        kill(program.pid, SIGTERM)
        try? eventually("systemd ends", within: .seconds(20)) { !program.isRunning }
        _ = try? run(
            "unshare",
            [
                "--mount", "--propagation", "private", "sh", "-c",
                """
                mount -t cgroup2 none /sys/fs/cgroup && cd /sys/fs/cgroup && echo 1 > "$GROUP/cgroup.kill"
                for _ in 1 2 3 4 5 6 7 8 9 10; do
                    find "$GROUP" -depth -type d -exec rmdir {} + && break
                    sleep 0.2
                done
                """,
            ], environment: environment)
    }

    func control(_ arguments: String...) throws -> ProgramRun {
        try run("systemctl", ["--user", "--no-pager"] + arguments, environment: environment)
    }

    func show(_ property: String, of unit: String = "codeai-hub.service") throws -> String {
        try control("show", "--property=\(property)", "--value", unit).output.trimmingCharacters(
            in: .whitespacesAndNewlines)
    }

    /// A drop-in, as a person would write it.
    func override(_ text: String) throws {
        try folder.write("config/systemd/user/codeai-hub.service.d/test.conf", text)
        let reload = try control("daemon-reload")
        guard reload.code == 0 else { throw TestFailure(reload.text) }
    }
}
