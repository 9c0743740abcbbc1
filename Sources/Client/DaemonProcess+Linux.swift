import Base
import CLinux
// `environ` is a global variable of the C library; nothing in this program changes it.
@preconcurrency import Glibc
import JSON

/// Starting a program that outlives this one.
package enum DaemonProcess {
    /// In a session of its own, with no terminal and no descriptor of this process.
    static func spawn(_ program: String, home: HubHome, log: String) throws(HubError) -> pid_t {
        // The daemon makes its folders itself; the log of its start must have a place before.
        mkdir(home.path, 0o700)
        mkdir(home.path + "/logs", 0o700)
        // Appended to, since two clients can start daemons at once; so that it stays small, begun anew from time to time.
        var info = stat()
        if lstat(log, &info) == 0, info.st_size > 256 * 1024 { unlink(log) }
        return try detach(program, [], home: home, log: log)
    }

    /// A program that is none of ours, such as a browser, also one that goes on when this one has ended.
    /// - Returns: its exit code when it ends within a second, as those do that only pass a request on; else nil.
    package static func launch(
        _ program: String, _ arguments: [String], home: HubHome
    ) async throws(HubError) -> Int32? {
        let pid = try detach(program, arguments, home: home, log: "/dev/null")
        for _ in 0..<50 {
            if let code = exitCode(of: pid) { return code }
            try? await Task.sleep(for: .milliseconds(20))
        }
        return nil
    }

    private static func detach(
        _ program: String, _ arguments: [String], home: HubHome, log: String
    ) throws(HubError) -> pid_t {
        let words: [UnsafeMutablePointer<CChar>?] = ([program] + arguments).map { strdup($0) } + [nil]
        let environment = environmentWithHome(home)
        defer { for pointer in words + environment { free(pointer) } }
        var pid = pid_t()
        let error = clinux_spawn_detached(program, words, environment, log, &pid)
        guard error == 0 else {
            throw HubError(.launchFailed, "cannot start \(program): \(SystemError.text(of: error))")
        }
        return pid
    }

    /// In this terminal, as a part of this program's process group, and waited for.
    /// - Returns: its exit code; 128 + the signal's number when one ended it.
    package static func run(_ program: String, _ arguments: [String], home: HubHome) throws(HubError) -> Int32 {
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        var signals = sigset_t()
        sigemptyset(&signals)
        posix_spawnattr_setsigmask(&attributes, &signals)
        for number in [SIGINT, SIGQUIT, SIGPIPE] { sigaddset(&signals, number) }
        posix_spawnattr_setsigdefault(&attributes, &signals)
        posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF))
        let words: [UnsafeMutablePointer<CChar>?] = ([program] + arguments).map { strdup($0) } + [nil]
        let environment = environmentWithHome(home)
        defer { for pointer in words + environment { free(pointer) } }
        // Control-C is for the program in front.
        let before = (signal(SIGINT, SIG_IGN), signal(SIGQUIT, SIG_IGN))
        defer {
            signal(SIGINT, before.0)
            signal(SIGQUIT, before.1)
        }
        var pid = pid_t()
        let error = posix_spawn(&pid, program, nil, &attributes, words, environment)
        guard error == 0 else {
            throw HubError(.launchFailed, "cannot start \(program): \(SystemError.text(of: error))")
        }
        var status: Int32 = 0
        while waitpid(pid, &status, 0) < 0 {
            guard errno == EINTR else { return 0 }
        }
        let number = status & 0x7f
        return number == 0 ? (status >> 8) & 0xff : 128 + number
    }

    /// A program in the `PATH`; a relative entry of that would run whatever lies in the current folder.
    package static func find(_ name: String) -> String? {
        (environmentVariable("PATH") ?? "").split(separator: ":").map { "\($0)/\(name)" }
            .first { $0.hasPrefix("/") && access($0, X_OK) == 0 }
    }

    /// What a program says, on both of its outputs; at most a mebibyte.
    /// - Parameter variables: beside this process's own, or in place of them.
    /// - Returns: its exit code, 128 + the signal's number when one ended it, and the text; nil when it can't be started.
    package static func capture(
        _ program: String, _ arguments: [String], home: HubHome, variables: [String: String] = [:]
    ) -> (Int32, [UInt8])? {
        var ends: [Int32] = [-1, -1]
        guard pipe(&ends) == 0 else { return nil }
        defer { close(ends[0]) }
        for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO)
        posix_spawn_file_actions_adddup2(&actions, ends[1], STDERR_FILENO)
        let words: [UnsafeMutablePointer<CChar>?] = ([program] + arguments).map { strdup($0) } + [nil]
        let environment = environmentWithHome(home, variables)
        defer { for pointer in words + environment { free(pointer) } }
        var pid = pid_t()
        let error = posix_spawn(&pid, program, &actions, nil, words, environment)
        close(ends[1])
        guard error == 0 else { return nil }
        var output: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 16 << 10)
        while true {
            let count = read(ends[0], &chunk, chunk.count)
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { break }
            if output.count < 1 << 20 { output.append(contentsOf: chunk[..<count]) }
        }
        var status: Int32 = 0
        while waitpid(pid, &status, 0) < 0 {
            guard errno == EINTR else { return nil }
        }
        let number = status & 0x7f
        return (number == 0 ? (status >> 8) & 0xff : 128 + number, output)
    }

    private static func environmentWithHome(
        _ home: HubHome, _ variables: [String: String] = [:]
    ) -> [UnsafeMutablePointer<CChar>?] {
        let variables = variables.merging(["CODEAI_HUB_HOME": home.path]) { $1 }
        var result: [UnsafeMutablePointer<CChar>?] = []
        var index = 0
        while let entry = environ[index] {
            let name = String(cString: entry).prefix { $0 != "=" }
            if variables[String(name)] == nil { result.append(strdup(entry)) }
            index += 1
        }
        for (name, value) in variables { result.append(strdup("\(name)=\(value)")) }
        result.append(nil)
        return result
    }

    /// Nil while it runs, or when it is not a child of ours. 128 + the signal's number when one ended it.
    static func exitCode(of pid: pid_t) -> Int32? {
        var status: Int32 = 0
        guard waitpid(pid, &status, WNOHANG) == pid else { return nil }
        let signal = status & 0x7f
        return signal == 0 ? (status >> 8) & 0xff : 128 + signal
    }

    /// The last sentence of what the program said before it ended.
    static func tail(of log: String) -> String {
        let fd = open(log, O_RDONLY | O_CLOEXEC | O_NOFOLLOW)
        guard fd >= 0 else { return "it left no message" }
        defer { close(fd) }
        let size = lseek(fd, 0, SEEK_END)
        lseek(fd, max(0, size - 2048), SEEK_SET)
        var buffer = [UInt8](repeating: 0, count: 2048)
        let count = read(fd, &buffer, buffer.count)
        guard count > 0 else { return "it left no message" }
        let lines = String(decoding: buffer[..<count], as: UTF8.self).split(separator: "\n")
        // A sentence for people, rather than a line of the log.
        if let sentence = lines.last(where: { !$0.hasPrefix("{") }) { return String(sentence) }
        let message = lines.last.flatMap { (try? JSON.parse(String($0)))?["message"]?.stringValue }
        return message ?? "it left no message"
    }

    /// The absolute path of this program.
    static func ownPath() -> String? {
        var buffer = [CChar](repeating: 0, count: 4096)
        let count = readlink("/proc/self/exe", &buffer, buffer.count)
        guard count > 0, count < buffer.count else { return nil }
        return String(decoding: buffer[..<count].map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
}
