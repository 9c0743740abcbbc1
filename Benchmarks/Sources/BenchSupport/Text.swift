import Glibc

/// The text of a published message: the publisher's clock in a fixed width, then something like prose and code, which
/// deflates as such text does.
package struct PublishedText {
    private var bytes: [UInt8]
    private let words = [
        "the ", "session ", "reads ", "file ", "and ", "writes ", "tests ", "name: ", "value, ", "builds ", "error ",
        "line ", "return ", "function ",
    ]

    /// - Parameter size: in bytes, at least 21.
    package init(size: Int) {
        bytes = Array("@T0000000000000000000".utf8)
        var seed: UInt32 = 1
        while bytes.count < size {
            seed = seed &* 1_103_515_245 &+ 12_345
            bytes += Array(words[Int(seed >> 16) % words.count].utf8)
        }
        bytes.removeLast(bytes.count - max(21, size))
    }

    /// The text, stamped with this moment.
    package mutating func next() -> [UInt8] {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        var now = Int(time.tv_sec) * 1_000_000_000 + Int(time.tv_nsec)
        for index in (2...20).reversed() {
            bytes[index] = UInt8(0x30 + now % 10)
            now /= 10
        }
        return bytes
    }
}
