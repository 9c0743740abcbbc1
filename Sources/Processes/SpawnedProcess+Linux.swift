import Base
import CLinux
import Glibc

/// The kernel's side of a start: three pipes and the call.
struct SpawnedProcess {
    let pid: Int32
    let pidfd: Int32
    let marker: String
    /// This process's ends of the child's stdin, stdout and stderr.
    let input: Int32
    let output: Int32
    let error: Int32

    static func start(_ specification: ProcessSpecification) throws(SpawnError) -> SpawnedProcess {
        let executable: String
        if specification.executable.utf8.contains(UInt8(ascii: "/")) {
            executable = specification.executable
        } else if let found = ExecutableLookup.find(
            specification.executable, searchPath: specification.environment["PATH"] ?? "/usr/local/bin:/usr/bin:/bin")
        {
            executable = found
        } else {
            throw SpawnError(notFound: specification.executable)
        }
        let marker = hexadecimal(randomBytes(12))
        var environment = specification.environment.map { "\($0.key)=\($0.value)" }
        environment.append("\(ChildProcess.markerVariable)=\(marker)")
        let arguments = [specification.executable] + specification.arguments
        let texts = [arguments, environment, [executable, specification.workingDirectory ?? ""]].joined()
        guard !texts.contains(where: { $0.utf8.contains(0) }) else {
            throw SpawnError(invalidArgument: specification.executable)
        }

        var pipes = Pipes()
        defer { pipes.close() }
        do throws(SystemError) { try pipes.open() } catch {
            throw SpawnError(resources: error, executable: specification.executable)
        }
        func attempt() -> clinux_spawn_result {
            withCStrings(arguments) { arguments in
                withCStrings(environment) { environment in
                    clinux_spawn(
                        executable, arguments, environment, specification.workingDirectory, pipes.ends[0],
                        pipes.ends[3],
                        pipes.ends[5])
                }
            }
        }
        var result = attempt()
        // Just installed: a child that somebody starts at this moment holds the file open for writing until it has
        // become another program. That takes milliseconds; 63 of them are waited for in all.
        var wait: UInt32 = 1000
        while result.error == ETXTBSY, result.step == Int32(CLINUX_SPAWN_EXEC.rawValue), wait <= 32_000 {
            usleep(wait)
            wait *= 2
            result = attempt()
        }
        guard result.error == 0 else {
            throw SpawnError(step: result.step, errno: result.error, specification: specification)
        }
        return SpawnedProcess(
            pid: result.pid, pidfd: result.pidfd, marker: marker, input: pipes.take(1), output: pipes.take(2),
            error: pipes.take(4))
    }
}

/// Three pipes, of which those ends are closed that nobody has taken.
private struct Pipes {
    /// stdin's read and write end, stdout's, stderr's.
    private(set) var ends: [Int32] = [-1, -1, -1, -1, -1, -1]

    mutating func open() throws(SystemError) {
        for index in 0..<3 {
            let result = ends.withUnsafeMutableBufferPointer { clinux_pipe($0.baseAddress! + 2 * index) }
            guard result == 0 else { throw SystemError.current("pipe") }
        }
    }

    mutating func take(_ index: Int) -> Int32 {
        defer { ends[index] = -1 }
        return ends[index]
    }

    mutating func close() {
        for end in ends where end >= 0 { Glibc.close(end) }
        ends = []
    }
}

private func withCStrings<R>(
    _ texts: [String], _ body: (UnsafePointer<UnsafeMutablePointer<CChar>?>) -> R
) -> R {
    var pointers = texts.map { strdup($0) }
    pointers.append(nil)
    defer { for pointer in pointers { free(pointer) } }
    return pointers.withUnsafeBufferPointer { body($0.baseAddress!) }
}
