import Glibc

/// What a server under measurement is asked to publish; the command line of README.md.
package struct Publisher {
    package enum Mode: String {
        case none, saturated, paced
    }

    package let mode: Mode
    /// Publishing begins when as many are connected.
    package let clients: Int
    package let size: Int
    package let rate: Int
    /// Messages in one turn of the loop when saturated.
    package let burst: Int
    package var text: PublishedText
    private var next: Int64 = 0

    /// - Parameter overhead: bytes of a message that the server adds to the text.
    package init(_ options: inout CommandLineOptions, overhead: Int = 0) {
        guard let mode = Mode(rawValue: options.text("publish", "none")) else {
            stop("--publish is none, saturated or paced")
        }
        self.mode = mode
        clients = options.number("clients", 0)
        size = options.number("size", 256)
        rate = max(1, options.number("rate", 100))
        burst = max(1, options.number("burst", 64))
        text = PublishedText(size: size - overhead)
    }

    /// Bytes that may wait for a client while another burst is published.
    package var window: Int { 3 * burst * (size + 4) }

    /// Nanoseconds until the next message of the paced mode: a steady beat, whatever each takes.
    package mutating func nextTick(now: Int64) -> Int64 {
        if next == 0 { next = now }
        next += 1_000_000_000 / Int64(rate)
        return max(0, next - now)
    }
}

/// Tells who started us that we listen.
package func announce(port: Int) {
    let line = Array("ready \(port)\n".utf8)
    _ = write(STDOUT_FILENO, line, line.count)
}
