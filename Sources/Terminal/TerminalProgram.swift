import Base
import Client
import Glibc

/// The program `codeai-hub`.
package enum TerminalProgram {
    /// - Parameter arguments: without the program's name.
    /// - Returns: the exit code.
    ///
    /// Blocks its thread. An asynchronous main function would do so too, but in libdispatch, which lets all signals
    /// through on the main thread: one would end the program before it could give the terminal back.
    package static func run(_ arguments: [String]) -> Int32 {
        // A reader of our output that went away is no reason to die without restoring anything.
        signal(SIGPIPE, SIG_IGN)
        let invocation: Invocation
        do throws(CommandFailure) {
            invocation = try ArgumentParser.parse(arguments, table: CommandTable.all)
        } catch {
            let isJSON = arguments.contains("--json")
            let command = Command(name: "", help: "") { _ async throws(CommandFailure) in .ok }
            Output(Invocation(command: command, arguments: [], options: isJSON ? ["json": ""] : [:])).report(error)
            return error.exit.rawValue
        }
        let output = Output(invocation)
        if invocation.has("help") {
            output.print(HelpText.text(invocation.command))
            return ExitCode.ok.rawValue
        }
        // Before any thread exists.
        if invocation.command.handlesSignals { TerminalDevice.blockSignals() }
        return blocking {
            do throws(CommandFailure) {
                return try await invocation.command.run(invocation).rawValue
            } catch {
                output.report(error)
                return error.exit.rawValue
            }
        }
    }

    private static func blocking(_ body: @escaping @Sendable () async -> Int32) -> Int32 {
        let result = Lock<Int32>(0)
        let done = Semaphore()
        Task.detached {
            let code = await body()
            result.withLock { $0 = code }
            done.signal()
        }
        done.wait()
        return result.withLock { $0 }
    }
}

/// A POSIX semaphore.
final class Semaphore: @unchecked Sendable {
    private let pointer = UnsafeMutablePointer<sem_t>.allocate(capacity: 1)

    init() {
        pointer.initialize(to: sem_t())
        sem_init(pointer, 0, 0)
    }

    deinit {
        sem_destroy(pointer)
        pointer.deallocate()
    }

    func signal() { sem_post(pointer) }

    func wait() {
        while sem_wait(pointer) != 0, errno == EINTR {}
    }
}
