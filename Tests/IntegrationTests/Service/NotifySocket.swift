import Foundation
import TestSupport

/// A service manager's end of sd_notify(3).
final class NotifySocket {
    let address: String
    private let file: Int32

    /// - Parameter address: a path, or `@` and a name.
    init(_ address: String) throws {
        self.address = address
        file = socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        var name = sockaddr_un()
        name.sun_family = sa_family_t(AF_UNIX)
        var bytes = Array(address.utf8)
        if bytes[0] == UInt8(ascii: "@") { bytes[0] = 0 }
        withUnsafeMutableBytes(of: &name.sun_path) { $0.copyBytes(from: bytes) }
        let length = socklen_t(2 + bytes.count)
        let isBound = withUnsafePointer(to: &name) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { bind(file, $0, length) == 0 }
        }
        guard isBound else { throw TestFailure("bind \(address): \(String(cString: strerror(errno)))") }
    }

    deinit { close(file) }

    /// The next message, its lines by name.
    func next(within limit: Duration) throws -> [String: String]? {
        var ready = pollfd(fd: file, events: Int16(POLLIN), revents: 0)
        let milliseconds = limit.components.seconds * 1000 + limit.components.attoseconds / 1_000_000_000_000_000
        guard poll(&ready, 1, Int32(milliseconds)) == 1 else { return nil }
        var buffer = [UInt8](repeating: 0, count: 4096)
        let count = recv(file, &buffer, buffer.count, 0)
        guard count > 0 else { throw TestFailure("recv: \(String(cString: strerror(errno)))") }
        var message: [String: String] = [:]
        for line in String(decoding: buffer[..<count], as: UTF8.self).split(separator: "\n") {
            let pair = line.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            guard pair.count == 2 else { throw TestFailure("no assignment: \(line)") }
            message[String(pair[0])] = String(pair[1])
        }
        return message
    }

    /// The next message that says something of this name.
    func message(_ name: String, within limit: Duration = .seconds(20)) throws -> [String: String] {
        let deadline = ContinuousClock.now + limit
        while ContinuousClock.now < deadline {
            if let message = try next(within: .milliseconds(200)), message[name] != nil { return message }
        }
        throw TestFailure("no \(name) within \(limit)")
    }

    /// Takes what is there.
    /// - Returns: how many there were.
    @discardableResult
    func drain() throws -> Int {
        var count = 0
        while try next(within: .zero) != nil { count += 1 }
        return count
    }
}
