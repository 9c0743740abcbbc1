import Base
import CLinux
@preconcurrency import Glibc

/// Tries the programs of a version before it is put in force.
struct Preflight {
    let home: InstallationHome
    let version: Version
    /// What each program may take.
    var patience = Duration.seconds(10)

    /// - Throws: `preflightFailed`.
    func run() throws(InstallationError) {
        for name in Component.core.programs {
            let said = try ask(name, ["--version"])
            guard said == "\(name) \(version)" else {
                throw refusal("\(name) --version says \(said.prefix(100).debugDescription)")
            }
        }
        _ = try ask("codeai-hub-core", ["--check-config"])
    }

    private func refusal(_ reason: String) -> InstallationError {
        InstallationError(.preflightFailed, "version \(version) can't be used here: \(reason)")
    }

    /// - Returns: what it says, without the end of the line.
    private func ask(_ name: String, _ arguments: [String]) throws(InstallationError) -> String {
        let program = home.folder(of: version) + "/" + name
        let command = ([name] + arguments).joined(separator: " ")
        let outcome: Outcome
        do throws(SystemError) {
            outcome = try BoundedRun(patience: patience).run(program, arguments, environment)
        } catch {
            throw refusal("\(command) can't be run: \(error)")
        }
        switch outcome {
        case .late: throw refusal("\(command) has not ended after \(patience.components.seconds) seconds")
        case .ended(let how, let output, let errors):
            guard let how else { return output.split(separator: "\n").joined(separator: "\n") }
            let text = (errors + output).split(separator: "\n").suffix(4).joined(separator: " ").prefix(1000)
            throw refusal("\(command) ended with \(how)\(text.isEmpty ? "" : ": \(text)")")
        }
    }

    /// As a daemon of this home will have it, without what is meant for this process alone.
    private var environment: [String] {
        let left = ["CODEAI_HUB_HOME", "LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES", "NOTIFY_SOCKET", "WATCHDOG_USEC"]
        var result = ["CODEAI_HUB_HOME=\(home.path)"]
        var entry = environ
        while let text = entry.pointee {
            let pair = String(cString: text)
            if !left.contains(where: { pair.hasPrefix($0 + "=") }) { result.append(pair) }
            entry += 1
        }
        return result
    }

    enum Outcome {
        /// - how: nil when it ended well.
        case ended(how: String?, output: String, errors: String)
        case late
    }
}

/// Runs a program in a process group of its own and waits for its end, for a while; nothing of the group is left then.
private struct BoundedRun {
    let patience: Duration
    /// Of what it says, on each output.
    private static let outputBytes = 4096

    func run(
        _ program: String, _ arguments: [String], _ environment: [String]
    ) throws(SystemError) -> Preflight.Outcome {
        var pipes: [[Int32]] = []
        defer { for end in pipes.joined() where end >= 0 { close(end) } }
        for _ in 0..<2 {
            var ends: [Int32] = [-1, -1]
            guard clinux_pipe(&ends) == 0 else { throw .current("pipe") }
            pipes.append(ends)
        }
        let null = open("/dev/null", O_RDWR | O_CLOEXEC)
        guard null >= 0 else { throw .current("open /dev/null") }
        defer { close(null) }
        let child = try spawn(program, arguments, environment, null, pipes[0][1], pipes[1][1])
        defer { close(child.pidfd) }
        for index in pipes.indices {
            close(pipes[index][1])
            pipes[index][1] = -1
            _ = fcntl(pipes[index][0], F_SETFL, O_NONBLOCK)
        }
        var outputs: [[UInt8]] = [[], []]
        let hasEnded = wait(for: child.pidfd, pipes.map { $0[0] }, &outputs)
        // While the leader isn't reaped its number is nobody else's, nor is its group's.
        kill(-child.pid, SIGKILL)
        var end = clinux_reap_pidfd(child.pidfd)
        while end.result == 0 {
            var descriptor = pollfd(fd: child.pidfd, events: Int16(POLLIN), revents: 0)
            poll(&descriptor, 1, 1000)
            end = clinux_reap_pidfd(child.pidfd)
        }
        guard hasEnded else { return .late }
        let how: String? =
            end.was_signaled != 0 ? "signal \(end.status)" : end.status != 0 ? "code \(end.status)" : nil
        let texts = outputs.map { String(decoding: $0, as: UTF8.self) }
        return .ended(how: how, output: texts[0], errors: texts[1])
    }

    private func spawn(
        _ program: String, _ arguments: [String], _ environment: [String], _ input: Int32, _ output: Int32,
        _ error: Int32
    ) throws(SystemError) -> clinux_spawn_result {
        let words: [UnsafeMutablePointer<CChar>?] = ([program] + arguments).map { strdup($0) } + [nil]
        let variables: [UnsafeMutablePointer<CChar>?] = environment.map { strdup($0) } + [nil]
        defer { for text in words + variables { free(text) } }
        var attempts = 0
        while true {
            let child = clinux_spawn(program, words, variables, "/", input, output, error)
            if child.error == 0 { return child }
            // A process that was forked while the file was written may still have it open.
            guard child.error == ETXTBSY, attempts < 20 else {
                throw SystemError(errno: child.error, operation: "execute \(program)")
            }
            attempts += 1
            usleep(10_000)
        }
    }

    /// - Returns: false when it has not ended in time.
    private func wait(for pidfd: Int32, _ pipes: [Int32], _ outputs: inout [[UInt8]]) -> Bool {
        let clock = SuspendingClock()
        let deadline = clock.now + patience
        var open = [true, true]
        while true {
            let left = deadline - clock.now
            guard left > .zero else { return false }
            var descriptors = [pollfd(fd: pidfd, events: Int16(POLLIN), revents: 0)]
            for (index, pipe) in pipes.enumerated() {
                descriptors.append(pollfd(fd: open[index] ? pipe : -1, events: Int16(POLLIN), revents: 0))
            }
            let milliseconds = Int32(left / .milliseconds(1)) + 1
            guard poll(&descriptors, nfds_t(descriptors.count), milliseconds) >= 0 || errno == EINTR else {
                return false
            }
            for (index, pipe) in pipes.enumerated() where open[index] {
                open[index] = BoundedRun.drain(pipe, &outputs[index])
            }
            if descriptors[0].revents != 0 { return true }
        }
    }

    /// - Returns: false when nothing can come any more.
    private static func drain(_ pipe: Int32, _ output: inout [UInt8]) -> Bool {
        var buffer = [UInt8](repeating: 0, count: 4096)
        // A flood is read no further than to look at the clock in between.
        for _ in 0..<64 {
            let count = read(pipe, &buffer, buffer.count)
            guard count > 0 else { return count < 0 && (errno == EAGAIN || errno == EINTR) }
            output.append(contentsOf: buffer[..<min(count, max(0, outputBytes - output.count))])
        }
        return true
    }
}
