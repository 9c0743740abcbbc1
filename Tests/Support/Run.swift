import Foundation

/// What became of a program that was run to its end.
package struct ProgramRun: Sendable {
    /// Its exit code, or the number of the signal that ended it.
    package let code: Int32
    /// Its standard output.
    package let bytes: [UInt8]
    /// Its standard error.
    package let errors: String

    package var output: String { String(decoding: bytes, as: UTF8.self) }
    /// Both, for what a person would read.
    package var text: String { output + errors }
}

/// Runs a program to its end: a path, or a name that is looked up in PATH.
package func run(
    _ program: String, _ arguments: [String], environment: [String: String]? = nil, in folder: String? = nil
) throws -> ProgramRun {
    try RunningProgram(program, arguments, environment: environment, in: folder).wait()
}

/// A program that was started. It reads nothing; what it prints goes to files, since the end of a pipe would have to be
/// waited for as long as anybody has it open, a daemon that it started as well.
///
/// Not Foundation's `Process`: looking for open descriptors it reads past its buffer, where AddressSanitizer ends the
/// tests.
package final class RunningProgram {
    package let pid: Int32
    private let output: Int32
    private let errors: Int32
    private var end: Int32?

    package init(
        _ program: String, _ arguments: [String], environment: [String: String]? = nil, in folder: String? = nil
    ) throws {
        output = try temporaryFile()
        errors = try temporaryFile()
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
        posix_spawn_file_actions_adddup2(&actions, output, 1)
        posix_spawn_file_actions_adddup2(&actions, errors, 2)
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        // The threads that tests run on block signals; a program would inherit that.
        var none = sigset_t()
        sigemptyset(&none)
        posix_spawnattr_setsigmask(&attributes, &none)
        posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK))
        // posix_spawn's own way to another folder isn't among what Swift imports.
        let words = (folder.map { ["env", "--chdir", $0] } ?? []) + [program] + arguments
        var argv = words.map { strdup($0) } + [nil]
        var envp = (environment ?? ProcessInfo.processInfo.environment).map { strdup("\($0)=\($1)") } + [nil]
        defer { for pointer in argv + envp { free(pointer) } }
        var pid: pid_t = 0
        let error = posix_spawnp(&pid, words[0], &actions, &attributes, &argv, &envp)
        self.pid = pid
        guard error == 0 else {
            end = -1
            throw TestFailure("cannot start \(program): \(String(cString: strerror(error)))")
        }
    }

    deinit {
        if end == nil {
            kill(pid, SIGKILL)
            waitpid(pid, nil, 0)
        }
        close(output)
        close(errors)
    }

    package var isRunning: Bool {
        guard end == nil else { return false }
        var status: Int32 = 0
        guard waitpid(pid, &status, WNOHANG) == pid else { return true }
        end = code(status)
        return false
    }

    /// What it has printed.
    package var soFar: ProgramRun {
        ProgramRun(code: end ?? -1, bytes: contents(output), errors: String(decoding: contents(errors), as: UTF8.self))
    }

    package func wait() -> ProgramRun {
        var status: Int32 = 0
        while end == nil {
            if waitpid(pid, &status, 0) == pid { end = code(status) }
        }
        return soFar
    }

    private func code(_ status: Int32) -> Int32 { status & 0x7f == 0 ? status >> 8 & 0xff : status & 0x7f }

    private func contents(_ file: Int32) -> [UInt8] {
        var information = stat()
        guard fstat(file, &information) == 0, information.st_size > 0 else { return [] }
        return [UInt8](unsafeUninitializedCapacity: Int(information.st_size)) { buffer, count in
            count = max(0, pread(file, buffer.baseAddress, buffer.count, 0))
        }
    }
}

/// A file that is gone when it is closed.
private func temporaryFile() throws -> Int32 {
    var name = Array((NSTemporaryDirectory() + "/program-XXXXXX").utf8CString)
    let file = mkstemp(&name)
    guard file >= 0 else { throw TestFailure("mkstemp: \(String(cString: strerror(errno)))") }
    _ = fcntl(file, F_SETFD, FD_CLOEXEC)
    unlink(name)
    return file
}
