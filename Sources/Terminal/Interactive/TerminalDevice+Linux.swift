import Base
import CLinux
import EventLoop
import Glibc

/// The person's terminal: raw mode, size, keys, signals. Restores what it changed, however the program ends.
final class TerminalDevice: Sendable {
    enum Input: Sendable {
        case bytes([UInt8])
        case signal(Int32)
        case end
    }

    private let loop: EventLoop
    private let original: LoopFree<termios>

    static var isInteractive: Bool { isatty(STDIN_FILENO) == 1 && isatty(STDOUT_FILENO) == 1 }

    /// Takes the terminal over. Signals must be blocked already (`blockSignals`), in all threads.
    ///
    /// - Parameter onInput: called on a thread of the terminal's own.
    init(onInput: @escaping @Sendable (Input) -> Void) throws(SystemError) {
        var settings = termios()
        guard tcgetattr(STDIN_FILENO, &settings) == 0 else { throw SystemError.current("tcgetattr") }
        original = LoopFree(settings)
        loop = try EventLoop.startThread(name: "terminal")
        enterRawMode()
        let loop = loop
        loop.submit {
            let keys = KeyReader(loop: loop, onInput: onInput)
            do throws(SystemError) {
                try loop.register(STDIN_FILENO, .read, keys)
                let source = try SignalSource(TerminalDevice.signals, loop: loop) { onInput(.signal($0)) }
                keys.signals = source
            } catch {
                onInput(.end)
            }
        }
    }

    static let signals = [SIGINT, SIGTERM, SIGHUP, SIGWINCH, SIGCONT]

    /// Before any thread is started, so that all inherit it: a signal must find the one thread that restores the
    /// terminal, not the default action in some other.
    static func blockSignals() {
        var set = sigset_t()
        sigemptyset(&set)
        for number in signals { sigaddset(&set, number) }
        pthread_sigmask(SIG_BLOCK, &set, nil)
    }

    func enterRawMode() {
        var raw = original.value
        raw.c_iflag &= ~tcflag_t(BRKINT | ICRNL | INPCK | ISTRIP | IXON)
        raw.c_lflag &= ~tcflag_t(ECHO | ICANON | IEXTEN | ISIG)
        tcsetattr(STDIN_FILENO, TCSADRAIN, &raw)
        // Pastes come between marks, so that their line ends don't send anything.
        TerminalDevice.write("\u{1b}[?2004h")
    }

    func restore() {
        TerminalDevice.write("\u{1b}[?2004l\u{1b}[?25h\u{1b}[0m")
        var settings = original.value
        tcsetattr(STDIN_FILENO, TCSADRAIN, &settings)
    }

    /// Gives the terminal back and ends the thread.
    func close() {
        restore()
        loop.stop()
        loop.join()
    }

    /// Stops this program as Control-Z does; returns when it goes on.
    func suspend() {
        restore()
        // To this very thread: to the process, it could reach another one first, and this one would go on for a moment.
        raise(SIGSTOP)
        enterRawMode()
    }

    static var size: (width: Int, height: Int) { size(of: STDOUT_FILENO) }

    static func size(of fd: Int32) -> (width: Int, height: Int) {
        var size = winsize()
        guard ioctl(fd, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0, size.ws_row > 0 else {
            return (80, 24)
        }
        return (Int(size.ws_col), Int(size.ws_row))
    }

    /// Whether a line, or its end, has come on standard input.
    static func hasInput(within time: Duration) -> Bool {
        var entry = pollfd(fd: STDIN_FILENO, events: Int16(POLLIN), revents: 0)
        return poll(&entry, 1, Int32(time / .milliseconds(1))) > 0
    }

    /// What a person answers, without blanks around it and in lower case; nil at the end of input.
    static func readAnswer() -> String? {
        guard let answer = readLine() else {
            // Control-D leaves the cursor behind the question.
            write("\n", to: STDERR_FILENO)
            return nil
        }
        return answer.lowercased().filter { $0 != " " }
    }

    /// Writes to standard output, whole; gives up when nobody can read it any more.
    @discardableResult
    static func write(_ text: String, to fd: Int32 = STDOUT_FILENO) -> Bool {
        var text = text
        return text.withUTF8 { bytes in
            var sent = 0
            while sent < bytes.count {
                let count = Glibc.write(fd, bytes.baseAddress.map { $0 + sent }, bytes.count - sent)
                if count < 0 {
                    if errno == EINTR { continue }
                    if errno == EAGAIN {
                        // Somebody made the terminal non-blocking; wait until it takes more.
                        var entry = pollfd(fd: fd, events: Int16(POLLOUT), revents: 0)
                        poll(&entry, 1, 1000)
                        continue
                    }
                    return false
                }
                sent += count
            }
            return true
        }
    }
}

/// A value that never changes after it was made.
private struct LoopFree<Value>: @unchecked Sendable {
    let value: Value
    init(_ value: Value) { self.value = value }
}

/// Reads keys without making the terminal non-blocking, which the shell shares with us.
private final class KeyReader: FileDescriptorHandler {
    var signals: SignalSource?
    private let loop: EventLoop
    private let onInput: @Sendable (TerminalDevice.Input) -> Void

    init(loop: EventLoop, onInput: @escaping @Sendable (TerminalDevice.Input) -> Void) {
        self.loop = loop
        self.onInput = onInput
    }

    func ready(_ events: Readiness) {
        var buffer = [UInt8](repeating: 0, count: 4096)
        let count = read(STDIN_FILENO, &buffer, buffer.count)
        if count > 0 { return onInput(.bytes(Array(buffer[..<count]))) }
        if count < 0, errno == EINTR || errno == EAGAIN { return }
        loop.deregister(STDIN_FILENO)
        onInput(.end)
    }
}
