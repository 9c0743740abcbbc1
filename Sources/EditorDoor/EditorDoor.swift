import Base
package import Client
import EventLoop
import Glibc

/// `codeai-hub acp`: an agent of the Agent Client Protocol, version 1, on stdin and stdout, whose sessions live in the
/// daemon. To the editor it is one more agent, to the daemon one more client.
package enum EditorDoor {
    package struct Options: Sendable {
        package var home: HubHome
        /// Of sessions that the editor makes. Nil: Claude Code when it can be used at once, else the built-in agent.
        package var providerId: String?
        package var model: String?
        package var mode: String?

        package init(home: HubHome) {
            self.home = home
        }
    }

    /// Serves the editor until it closes stdin or stops reading stdout. The sessions go on.
    ///
    /// Takes both descriptors over: what else writes to stdout from then on goes to stderr, since the protocol's lines
    /// must be alone there.
    ///
    /// - Throws: `launchFailed` when the system refuses a thread or a descriptor.
    package static func serve(_ options: Options) async throws(HubError) {
        let loop: EventLoop
        let streams: (input: Int32, output: Int32)
        do throws(SystemError) {
            streams = try takeStandardStreams()
            loop = try EventLoop.startThread(name: "editor-door")
        } catch {
            throw HubError(.launchFailed, "cannot serve an editor: \(error)")
        }
        let link = try HubLink(home: options.home, loop: loop)
        await withCheckedContinuation { continuation in
            loop.submit {
                let editor = EditorConnection(input: streams.input, output: streams.output, loop: loop)
                // It lives by the editor's callbacks until the end.
                Door(options, editor: editor, link: link, loop: loop).start { continuation.resume() }
            }
        }
        loop.stop()
        loop.join()
    }

    private static func takeStandardStreams() throws(SystemError) -> (input: Int32, output: Int32) {
        let input = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3)
        let output = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3)
        guard input >= 0, output >= 0 else { throw SystemError.current("dup") }
        let nothing = open("/dev/null", O_RDONLY | O_CLOEXEC)
        guard nothing >= 0, dup2(nothing, STDIN_FILENO) >= 0, dup2(STDERR_FILENO, STDOUT_FILENO) >= 0 else {
            throw SystemError.current("dup2")
        }
        close(nothing)
        return (input, output)
    }
}
