package import Base
import CLinux
import Glibc

/// A program that could not be started. Its exit code later on is a result, never this error.
package struct SpawnError: Error, Equatable, CustomStringConvertible, Sendable {
    package enum Code: String, Sendable {
        case executableNotFound = "executable_not_found"
        case notExecutable = "not_executable"
        case workingDirectory = "working_directory"
        /// A NUL byte in an argument or the environment, or too much of both.
        case invalidArgument = "invalid_argument"
        /// Out of processes, descriptors or memory.
        case resources = "resources"
        case system = "system"
    }

    package let code: Code
    /// What to do about it.
    package let message: String
    package let cause: SystemError

    package var description: String { "\(message) (\(cause))" }

    init(step: Int32, errno: Int32, specification: ProcessSpecification) {
        let executable = specification.executable
        let code: Code
        let message: String
        var operation = "spawn step \(step)"
        switch (UInt32(bitPattern: step), errno) {
        case (CLINUX_SPAWN_DIRECTORY.rawValue, _):
            code = .workingDirectory
            message = "the working directory \(specification.workingDirectory ?? "") cannot be entered: check the path"
            operation = "chdir"
        case (CLINUX_SPAWN_EXEC.rawValue, ENOENT), (CLINUX_SPAWN_EXEC.rawValue, ENOTDIR):
            code = .executableNotFound
            message = "\(executable) was not found, or its interpreter was not: install it or correct the path"
            operation = "execve"
        case (CLINUX_SPAWN_EXEC.rawValue, EACCES), (CLINUX_SPAWN_EXEC.rawValue, ENOEXEC):
            code = .notExecutable
            message = "\(executable) is not an executable program: check its permissions and its first line"
            operation = "execve"
        case (CLINUX_SPAWN_EXEC.rawValue, E2BIG):
            code = .invalidArgument
            message = "the arguments and environment of \(executable) are too long"
            operation = "execve"
        case (_, EAGAIN), (_, ENOMEM), (_, EMFILE), (_, ENFILE):
            code = .resources
            message = SpawnError.outOfResources(executable)
        default:
            code = .system
            message = "\(executable) could not be started"
        }
        self.code = code
        self.message = message
        cause = SystemError(errno: errno, operation: operation)
    }

    init(notFound executable: String) {
        code = .executableNotFound
        message = "\(executable) was not found in PATH: install it or give its full path"
        cause = SystemError(errno: ENOENT, operation: "search PATH")
    }

    init(invalidArgument executable: String) {
        code = .invalidArgument
        message = "an argument or environment variable of \(executable) contains a NUL byte"
        cause = SystemError(errno: EINVAL, operation: "spawn")
    }

    init(resources cause: SystemError, executable: String) {
        code = .resources
        message = SpawnError.outOfResources(executable)
        self.cause = cause
    }

    private static func outOfResources(_ executable: String) -> String {
        "\(executable) could not be started: the limit of processes, open files or memory is reached"
    }
}
