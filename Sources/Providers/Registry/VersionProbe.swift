import EventLoop
import Processes

/// Runs a program for what it prints, within a time.
enum VersionProbe {
    struct Problem: Error {
        var reason: String
    }

    /// More than any version text.
    private static let outputLimit = 4096

    static func run(
        _ specification: ProcessSpecification, timeout: Duration, on loop: EventLoop,
        _ completion: @escaping (Result<String, Problem>) -> Void
    ) {
        let child: ChildProcess
        do throws(SpawnError) {
            child = try ChildProcess.spawn(specification, on: loop)
        } catch {
            let problem = Problem(reason: error.description)
            loop.schedule(after: .zero) { completion(.failure(problem)) }
            return
        }
        var output: [UInt8] = []
        var hasTimedOut = false
        child.onOutput = { bytes in
            output.append(contentsOf: bytes.prefix(max(0, outputLimit - output.count)))
        }
        child.closeInput()
        let timer = loop.schedule(after: timeout) { [weak child] in
            hasTimedOut = true
            child?.terminate(.immediate)
        }
        child.onExit = { [weak child] status in
            timer.cancel()
            if hasTimedOut { return completion(.failure(Problem(reason: "did not print its version in time"))) }
            guard status == .exited(0) else {
                let tail = child?.errorTail.prefix { !$0.isNewline } ?? ""
                return completion(.failure(Problem(reason: "ended with \(status) \(tail)")))
            }
            completion(.success(String(decoding: output, as: UTF8.self)))
        }
    }
}
