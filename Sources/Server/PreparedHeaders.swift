package import HTTP1

/// Header fields that have been checked and written once, for answers that are given often.
package struct PreparedHeaders: Sendable {
    let headers: HTTPHeaders
    /// The fields as they stand in an answer, each with its line end.
    let bytes: [UInt8]

    /// - Throws: as `HTTPResponseEncoder.writeHead` would.
    package init(_ headers: HTTPHeaders) throws(HTTPEncodeError) {
        var whole: [UInt8] = []
        _ = try HTTPResponseEncoder.writeHead(
            status: 204, headers: headers, body: .none, traits: nil, date: [],
            keepsAlive: false, into: &whole)
        var bytes: [UInt8] = []
        for (name, value) in headers.pairs {
            bytes.append(contentsOf: name.utf8)
            bytes.append(contentsOf: ": ".utf8)
            bytes.append(contentsOf: value.utf8)
            bytes.append(contentsOf: "\r\n".utf8)
        }
        self.headers = headers
        self.bytes = bytes
    }

    private init(unchecked headers: HTTPHeaders) {
        self.headers = headers
        bytes = []
    }

    /// Those of `HTTPHeaders.json`.
    package static let json: PreparedHeaders = {
        do throws(HTTPEncodeError) { return try PreparedHeaders(.json) } catch {
            return PreparedHeaders(unchecked: .json)
        }
    }()
}

/// Writes answers with prepared fields where they are sent from.
enum PreparedAnswer {
    private static let statusLine: StaticString = "HTTP/1.1 200 OK\r\n"
    private static let lengthName: StaticString = "content-length: "

    static func write(
        _ prepared: PreparedHeaders, date: [UInt8], body: UnsafeRawBufferPointer, to segments: SegmentWriter
    ) -> FrameReference {
        var digits = 1
        var rest = body.count
        while rest >= 10 {
            rest /= 10
            digits += 1
        }
        let count =
            statusLine.utf8CodeUnitCount + date.count + prepared.bytes.count + lengthName.utf8CodeUnitCount + digits + 4
            + body.count
        return segments.append(count) { target in
            var target = target
            put(statusLine, at: &target)
            put(date, at: &target)
            put(prepared.bytes, at: &target)
            put(lengthName, at: &target)
            var number = body.count
            for index in stride(from: digits - 1, through: 0, by: -1) {
                target.storeBytes(
                    of: UInt8(truncatingIfNeeded: 0x30 + number % 10), toByteOffset: index, as: UInt8.self)
                number /= 10
            }
            target += digits
            put("\r\n\r\n", at: &target)
            copy(body, to: target)
        }
    }

    @inline(__always)
    private static func put(_ text: StaticString, at target: inout UnsafeMutableRawPointer) {
        target.copyMemory(from: text.utf8Start, byteCount: text.utf8CodeUnitCount)
        target += text.utf8CodeUnitCount
    }

    @inline(__always)
    private static func put(_ bytes: [UInt8], at target: inout UnsafeMutableRawPointer) {
        bytes.withUnsafeBytes { copy($0, to: target) }
        target += bytes.count
    }
}
