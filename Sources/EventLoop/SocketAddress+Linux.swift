package import Base
package import CLinux
import Glibc

/// An IPv4 or IPv6 address with a port.
package struct SocketAddress: Hashable, Sendable, CustomStringConvertible {
    package enum Family: UInt8, Sendable { case ipv4, ipv6 }

    package let family: Family
    /// Network byte order; an IPv4 address fills the first 4.
    package let bytes: SIMD16<UInt8>
    package var port: UInt16
    package let scope: UInt32

    package init(family: Family, bytes: SIMD16<UInt8>, port: UInt16, scope: UInt32 = 0) {
        self.family = family
        self.bytes = bytes
        self.port = port
        self.scope = scope
    }

    /// Reads `127.0.0.1`, `::1` or `[::1]`; nil for names.
    package init?(numericHost host: String, port: UInt16) {
        var text = Substring(host)
        if text.hasPrefix("["), text.hasSuffix("]") { text = text.dropFirst().dropLast() }
        var v4 = in_addr()
        var v6 = in6_addr()
        if inet_pton(AF_INET, String(text), &v4) == 1 {
            self.init(family: .ipv4, bytes: loadBytes(v4), port: port)
        } else if inet_pton(AF_INET6, String(text), &v6) == 1 {
            self.init(family: .ipv6, bytes: loadBytes(v6), port: port)
        } else {
            return nil
        }
    }

    /// The addresses of a host given as a number or as `localhost`. Other names are not looked up: what this program
    /// listens on and connects to must not depend on a name server.
    ///
    /// - Throws: EADDRNOTAVAIL for any other name.
    package static func resolve(host: String, port: UInt16) throws(SystemError) -> [SocketAddress] {
        if host.lowercased() == "localhost" {
            return [
                SocketAddress(numericHost: "127.0.0.1", port: port), SocketAddress(numericHost: "::1", port: port),
            ].compactMap { $0 }
        }
        guard let address = SocketAddress(numericHost: host, port: port) else {
            throw SystemError(
                errno: EADDRNOTAVAIL, operation: "host \(host): give a numeric IPv4 or IPv6 address or localhost")
        }
        return [address]
    }

    /// 127.0.0.0/8, ::1, and IPv4 loopback mapped into IPv6.
    package var isLoopback: Bool {
        switch family {
        case .ipv4: return bytes[0] == 127
        case .ipv6:
            if let mapped = unmapped { return mapped.isLoopback }
            var one = SIMD16<UInt8>.zero
            one[15] = 1
            return bytes == one
        }
    }

    /// The IPv4 address of `::ffff:a.b.c.d`.
    package var unmapped: SocketAddress? {
        guard family == .ipv6, bytes[10] == 0xff, bytes[11] == 0xff else { return nil }
        for index in 0..<10 where bytes[index] != 0 { return nil }
        var v4 = SIMD16<UInt8>.zero
        for index in 0..<4 { v4[index] = bytes[12 + index] }
        return SocketAddress(family: .ipv4, bytes: v4, port: port)
    }

    /// `127.0.0.1` or `::1`, without brackets.
    package var host: String {
        withUnsafeBytes(of: bytes) { raw in
            var text = [CChar](repeating: 0, count: 64)
            guard inet_ntop(family == .ipv4 ? AF_INET : AF_INET6, raw.baseAddress, &text, 64) != nil else { return "" }
            return String(decoding: text.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
        }
    }

    /// `127.0.0.1:8080` or `[::1]:8080`.
    package var description: String { family == .ipv4 ? "\(host):\(port)" : "[\(host)]:\(port)" }

    // MARK: The system's form

    package init?(_ storage: sockaddr_storage) {
        var storage = storage
        switch Int32(storage.ss_family) {
        case AF_INET:
            let v4 = withUnsafeBytes(of: &storage) { $0.loadUnaligned(as: sockaddr_in.self) }
            self.init(family: .ipv4, bytes: loadBytes(v4.sin_addr), port: UInt16(bigEndian: v4.sin_port))
        case AF_INET6:
            let v6 = withUnsafeBytes(of: &storage) { $0.loadUnaligned(as: sockaddr_in6.self) }
            self.init(
                family: .ipv6, bytes: loadBytes(v6.sin6_addr), port: UInt16(bigEndian: v6.sin6_port),
                scope: v6.sin6_scope_id)
        default:
            return nil
        }
    }

    package func withSystemAddress<R>(_ body: (UnsafePointer<sockaddr>, socklen_t) -> R) -> R {
        var storage = sockaddr_storage()
        return withUnsafeMutableBytes(of: &storage) { raw in
            let length: Int
            switch family {
            case .ipv4:
                var v4 = sockaddr_in()
                v4.sin_family = sa_family_t(AF_INET)
                v4.sin_port = port.bigEndian
                withUnsafeMutableBytes(of: &v4.sin_addr) { target in
                    for index in 0..<4 { target[index] = bytes[index] }
                }
                raw.storeBytes(of: v4, as: sockaddr_in.self)
                length = MemoryLayout<sockaddr_in>.size
            case .ipv6:
                var v6 = sockaddr_in6()
                v6.sin6_family = sa_family_t(AF_INET6)
                v6.sin6_port = port.bigEndian
                v6.sin6_scope_id = scope
                withUnsafeMutableBytes(of: &v6.sin6_addr) { target in
                    for index in 0..<16 { target[index] = bytes[index] }
                }
                raw.storeBytes(of: v6, as: sockaddr_in6.self)
                length = MemoryLayout<sockaddr_in6>.size
            }
            return raw.withMemoryRebound(to: sockaddr.self) { body($0.baseAddress!, socklen_t(length)) }
        }
    }
}

private func loadBytes<T>(_ value: T) -> SIMD16<UInt8> {
    withUnsafeBytes(of: value) { raw in
        var bytes = SIMD16<UInt8>.zero
        for index in 0..<min(16, raw.count) { bytes[index] = raw[index] }
        return bytes
    }
}
