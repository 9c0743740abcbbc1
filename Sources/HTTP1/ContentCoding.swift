import CZlib

/// Content codings of bodies (RFC 9110 section 8.4): gzip, for those who accept it.
package enum ContentCoding {
    /// Whether an Accept-Encoding field allows gzip (RFC 9110 section 12.5.3): named, or covered by `*`, with a weight
    /// above zero.
    package static func acceptsGzip(_ headers: HTTPHeaders) -> Bool {
        var named: Bool?
        var others: Bool?
        for value in headers.values("accept-encoding") {
            for element in value.split(separator: ",") {
                let parts = element.split(separator: ";").map { $0.filter { $0 != " " && $0 != "\t" }.lowercased() }
                guard let coding = parts.first else { continue }
                let weight = parts.dropFirst().first { $0.hasPrefix("q=") }.map { Double($0.dropFirst(2)) ?? 0 } ?? 1
                if coding == "gzip" || coding == "x-gzip" { named = weight > 0 }
                if coding == "*" { others = weight > 0 }
            }
        }
        return named ?? others ?? false
    }

    /// The bytes as one gzip member (RFC 1952).
    /// - Parameter level: 1 (fast) to 9 (small).
    /// - Returns: nil when zlib has no memory.
    package static func gzip(_ bytes: [UInt8], level: Int32 = 1) -> [UInt8]? {
        var stream = z_stream()
        // 15 window bits, and 16 to ask for the gzip wrapper.
        let status = deflateInit2_(
            &stream, level, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY, ZLIB_VERSION,
            Int32(MemoryLayout<z_stream>.size))
        guard status == Z_OK else { return nil }
        defer { deflateEnd(&stream) }
        let bound = Int(deflateBound(&stream, UInt(bytes.count)))
        var isComplete = false
        let output = bytes.withUnsafeBytes { input in
            [UInt8](unsafeUninitializedCapacity: bound) { buffer, initialized in
                // zlib only reads from `next_in`; its type says otherwise for the sake of old compilers.
                stream.next_in = UnsafeMutablePointer(
                    mutating: input.bindMemory(to: UInt8.self).baseAddress)
                stream.avail_in = UInt32(input.count)
                stream.next_out = buffer.baseAddress
                stream.avail_out = UInt32(bound)
                isComplete = deflate(&stream, Z_FINISH) == Z_STREAM_END
                initialized = bound - Int(stream.avail_out)
            }
        }
        return isComplete ? output : nil
    }
}
