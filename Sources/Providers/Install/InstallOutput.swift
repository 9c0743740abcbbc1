import Base
import Glibc
import Redaction

/// What an installation prints: kept in a file up to a bound, and its newest line for those who watch.
struct InstallOutput {
    /// Bytes of the file; what an installation says beyond that is counted only. Package managers that trace all they
    /// do stay below it.
    static let fileLimit = 1 << 20
    /// Bytes at the end that an error quotes.
    static let tailLimit = 2048
    /// Scalars of a line that are shown.
    private static let lineLimit = 300

    /// Bytes of a line that are waited for before it is written without its end.
    private static let longestLine = 64 << 10

    private let file: Int32
    private let redactor: Redactor
    /// The line that has no end yet: a secret in it can't be seen before.
    private var partial: [UInt8] = []
    private var written = 0
    private var leftOut = 0
    private(set) var tail: [UInt8] = []
    private var splitter = LineSplitter(limit: 4096)
    /// The newest line with something in it.
    private(set) var line = ""
    /// How much is done, if the newest lines say so.
    private(set) var percent: Int?

    /// Begins the file anew.
    init(path: String, redactor: Redactor) {
        self.redactor = redactor
        unlink(path)
        file = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0o600)
    }

    mutating func take(_ bytes: UnsafeRawBufferPointer) {
        partial.append(contentsOf: bytes)
        if let end = partial.lastIndex(where: { $0 == 0x0a || $0 == 0x0d }) {
            let rest = Array(partial[(end + 1)...])
            keep(Array(partial[...end]))
            partial = rest
        } else if partial.count > InstallOutput.longestLine {
            flush()
        }
    }

    /// Takes a last line without an end as it is.
    mutating func flush() {
        let rest = partial
        partial = []
        if !rest.isEmpty { keep(rest) }
    }

    private mutating func keep(_ printed: [UInt8]) {
        let bytes = redactor.clean(printed)
        let room = max(0, InstallOutput.fileLimit - written)
        // The installation goes on whether or not its output can be kept.
        if file >= 0, room > 0, (try? writeAll(Array(bytes.prefix(room)), to: file, "install.log")) != nil {
            written += min(room, bytes.count)
        }
        leftOut += max(0, bytes.count - room)
        tail.append(contentsOf: bytes.suffix(InstallOutput.tailLimit))
        if tail.count > InstallOutput.tailLimit { tail.removeFirst(tail.count - InstallOutput.tailLimit) }
        var lines: [[UInt8]] = []
        splitter.feed(bytes) { line in
            switch line {
            case .whole(let bytes): lines.append(bytes)
            case .tooLong(let start, _): lines.append(start)
            }
        }
        for line in lines { show(line) }
    }

    /// Says in the file how it ended.
    mutating func close(_ outcome: String) {
        flush()
        guard file >= 0 else { return }
        var text = "\n"
        if leftOut > 0 { text += "(\(leftOut) more bytes are left out)\n" }
        try? writeAll(Array((text + outcome + "\n").utf8), to: file, "install.log")
        Glibc.close(file)
    }

    /// A line that draws over itself, as progress bars do, is as it was drawn last.
    private mutating func show(_ bytes: [UInt8]) {
        let last = bytes.split(separator: 0x0d).last ?? []
        let scalars = String(decoding: last, as: UTF8.self).unicodeScalars.lazy
            .filter { $0.value >= 0x20 && !(0x7f...0x9f).contains($0.value) }.prefix(InstallOutput.lineLimit)
        let text = String(String.UnicodeScalarView(scalars))
        guard text.contains(where: { !$0.isWhitespace }) else { return }
        line = text
        percent = InstallOutput.percent(in: text) ?? percent
    }

    /// The number before a percent sign, or of `Progress 10 of 50` as pip says it.
    static func percent(in text: String) -> Int? {
        if let sign = text.lastIndex(of: "%") {
            let digits = text[..<sign].reversed().prefix { $0.isASCII && $0.isNumber }.reversed()
            if let number = Int(String(digits)), number <= 100 { return number }
        }
        let words = text.split(separator: " ")
        guard words.count == 4, words[0] == "Progress", words[2] == "of", let done = Double(words[1]),
            let all = Double(words[3]), done >= 0, all > 0, done <= all
        else { return nil }
        return Int(done / all * 100)
    }
}
