import HTTP1

/// The values of `Host` that name this server: whoever got a name of his own to resolve to this machine (DNS
/// rebinding) still sends that name.
struct HostNames {
    /// `127.0.0.1:8080` and the like, in lower case.
    private var names: [[UInt8]] = []
    /// The same in one block, so that looking through them touches one object: each after its length.
    private var block: [UInt8] = []
    /// `http://127.0.0.1:8080` and the like: the origins of pages served from here.
    private(set) var origins: [[UInt8]] = []

    init(ports: [UInt16], addresses: [String], extra: [String]) {
        for port in ports {
            for host in ["127.0.0.1", "localhost", "[::1]"] + addresses { add(host, port: port) }
        }
        for name in extra { insert(name.lowercased()) }
    }

    private mutating func add(_ host: String, port: UInt16) {
        insert("\(host):\(port)")
        // Browsers leave out the default port.
        if port == 80 { insert(host) }
    }

    private mutating func insert(_ name: String) {
        let bytes = Array(name.utf8)
        guard !names.contains(bytes) else { return }
        // No name is longer (RFC 1035 section 2.3.4); what is cannot match.
        guard bytes.count <= 255 else { return }
        names.append(bytes)
        block.append(UInt8(truncatingIfNeeded: bytes.count))
        block.append(contentsOf: bytes)
        origins.append(Array("http://\(name)".utf8))
    }

    /// Exactly one Host field, and an absolute target (RFC 9112 section 3.2.2) says the same.
    func accepts(_ head: HTTPRequestHead) -> Bool {
        var count = 0
        var isKnown = false
        head.headers.forEachValue(of: "host") { value in
            count += 1
            isKnown = contains(value)
            return true
        }
        guard count == 1, isKnown else { return false }
        guard head.hasAuthority else { return true }
        var authority = head.host
        return authority.withUTF8 { contains(UnsafeRawBufferPointer($0)) }
    }

    private func contains(_ host: UnsafeRawBufferPointer) -> Bool {
        block.withUnsafeBytes { block in
            var start = 0
            while start < block.count {
                let count = Int(block[start])
                let name = UnsafeRawBufferPointer(rebasing: block[start + 1..<start + 1 + count])
                if count == host.count, equalsIgnoringCase(host, name) { return true }
                start += 1 + count
            }
            return false
        }
    }

    func isOwnOrigin(_ origin: [UInt8]) -> Bool { origins.contains(origin) }
}

/// Whether ASCII text is that of lower-case `expected`, which is as long.
private func equalsIgnoringCase(_ bytes: UnsafeRawBufferPointer, _ expected: UnsafeRawBufferPointer) -> Bool {
    for index in 0..<expected.count {
        let byte = bytes[index]
        let lower = byte >= 0x41 && byte <= 0x5a ? byte | 0x20 : byte
        if lower != expected[index] { return false }
    }
    return true
}
