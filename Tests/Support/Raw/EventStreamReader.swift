package import JSON

/// Reads server-sent events from a connection whose head has been read.
package struct EventStreamReader {
    private let isChunked: Bool
    private var text = ""
    /// Frames that came without an id.
    package private(set) var unnumbered: [JSON] = []

    package init(isChunked: Bool) {
        self.isChunked = isChunked
    }

    /// The next event with an id.
    package mutating func nextNumbered(
        _ connection: RawConnection, within limit: Duration = .seconds(10)
    ) throws -> (seq: Int, frame: JSON) {
        while true {
            let event = try next(connection, within: limit)
            var id: Int?
            var data: [String] = []
            for line in event.split(separator: "\n") {
                if line.hasPrefix("id:") { id = Int(line.dropFirst(3).drop { $0 == " " }) }
                if line.hasPrefix("data:") { data.append(String(line.dropFirst(5).drop { $0 == " " })) }
            }
            guard !data.isEmpty else { continue }
            let frame = try JSON.parse(data.joined(separator: "\n"))
            if let id { return (id, frame) }
            unnumbered.append(frame)
        }
    }

    private mutating func next(_ connection: RawConnection, within limit: Duration) throws -> String {
        while true {
            if let end = text.firstRange(of: "\n\n") {
                defer { text.removeSubrange(..<end.upperBound) }
                return String(text[..<end.lowerBound])
            }
            guard let bytes = try more(connection, within: limit) else { throw TestFailure("the event stream ended") }
            text += String(decoding: bytes, as: UTF8.self)
        }
    }

    private func more(_ connection: RawConnection, within limit: Duration) throws -> [UInt8]? {
        // Without chunks the stream is read by lines: an event's text never holds a bare line end.
        guard isChunked else { return try connection.take(through: "\n", within: limit) }
        guard let line = try connection.take(through: "\r\n", within: limit) else { return nil }
        guard let size = Int(String(decoding: line.dropLast(2), as: UTF8.self), radix: 16) else {
            throw TestFailure("a chunk's size is broken")
        }
        guard size > 0 else { return nil }
        return try connection.take(size + 2, within: limit).map { Array($0.dropLast(2)) }
    }
}
