import CZlib
import Testing

@testable import HTTP1

@Suite struct ContentCodingTests {
    @Test(arguments: [
        ("gzip", true), ("gzip, deflate, br", true), ("GZIP;q=0.5", true), ("*", true), ("br;q=1.0, gzip;q=0.8", true),
        ("", false), ("br", false), ("gzip;q=0", false), ("*;q=0", false), ("gzip;q=0, *", false), ("gzip;q=x", false),
        ("identity", false),
    ])
    func acceptEncodingIsWeighed(value: String, accepts: Bool) {
        #expect(ContentCoding.acceptsGzip(["accept-encoding": value]) == accepts)
    }

    @Test(arguments: [0, 1, 5000, 1 << 20])
    func whatIsPackedUnpacksToTheSame(count: Int) throws {
        let bytes = (0..<count).map { UInt8(truncatingIfNeeded: $0 / 7 &* 31) }
        let packed = try #require(ContentCoding.gzip(bytes))
        var stream = z_stream()
        #expect(inflateInit2_(&stream, 15 + 16, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size)) == Z_OK)
        defer { inflateEnd(&stream) }
        var input = packed
        var output = [UInt8](repeating: 0, count: count + 1)
        let status = input.withUnsafeMutableBufferPointer { source in
            output.withUnsafeMutableBufferPointer { target in
                stream.next_in = source.baseAddress
                stream.avail_in = UInt32(source.count)
                stream.next_out = target.baseAddress
                stream.avail_out = UInt32(target.count)
                return inflate(&stream, Z_FINISH)
            }
        }
        #expect(status == Z_STREAM_END)
        #expect(Array(output[..<count]) == bytes && stream.avail_out == 1)
    }
}
