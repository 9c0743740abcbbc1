import Base
import CLinux
import Glibc
import JSON

/// Who listens on a port that the daemon wanted: said only when it is a daemon of ours, which answers `/health`.
enum PortHolder {
    /// - Returns: for example ` by codeai-hub-core 1.2.3`; empty when somebody else holds the port.
    static func describe(host: String, port: UInt16) -> String {
        guard let body = health(host: host, port: port), let json = try? JSON.parse(body),
            json["status"] == "ok", let version = json["version"]?.stringValue
        else { return "" }
        return " by codeai-hub-core \(version.prefix(32))"
    }

    /// The body of the answer to `GET /health`; nil unless one comes within a second.
    private static func health(host: String, port: UInt16) -> [UInt8]? {
        let socket = Glibc.socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard socket >= 0 else { return nil }
        defer { close(socket) }
        var timeout = timeval(tv_sec: 1, tv_usec: 0)
        setsockopt(socket, SOL_SOCKET, SO_RCVTIMEO, &timeout, socklen_t(MemoryLayout<timeval>.size))
        setsockopt(socket, SOL_SOCKET, SO_SNDTIMEO, &timeout, socklen_t(MemoryLayout<timeval>.size))
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        guard inet_pton(AF_INET, host, &address.sin_addr) == 1 else { return nil }
        let connected = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(socket, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        guard connected == 0 else { return nil }
        let request = Array("GET /health HTTP/1.1\r\nHost: \(host):\(port)\r\nConnection: close\r\n\r\n".utf8)
        guard send(socket, request, request.count, Int32(MSG_NOSIGNAL)) == request.count else { return nil }
        var answer: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 4096)
        while answer.count < 16_384 {
            let count = recv(socket, &buffer, buffer.count, 0)
            guard count > 0 else { break }
            answer.append(contentsOf: buffer[..<count])
        }
        // The daemon's own answer is short and not chunked: what follows the first empty line is its body.
        let text = String(decoding: answer, as: UTF8.self)
        guard text.hasPrefix("HTTP/1.1 200"), let end = text.firstRange(ofText: "\r\n\r\n") else { return nil }
        return Array(text[end.upperBound...].utf8)
    }
}
