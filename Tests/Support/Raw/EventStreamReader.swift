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
            if let event = try takeNumbered() { return event }
            guard try read(connection, within: limit) else { throw TestFailure("the event stream ended") }
        }
    }

    /// An event with an id that has been read already.
    package mutating func takeNumbered() throws -> (seq: Int, frame: JSON)? {
        while let end = text.firstRange(of: "\n\n") {
            let event = text[..<end.lowerBound]
            var id: Int?
            var data: [String] = []
            for line in event.split(separator: "\n") {
                if line.hasPrefix("id:") { id = Int(line.dropFirst(3).drop { $0 == " " }) }
                if line.hasPrefix("data:") { data.append(String(line.dropFirst(5).drop { $0 == " " })) }
            }
            text.removeSubrange(..<end.upperBound)
            guard !data.isEmpty else { continue }
            let frame = try JSON.parse(data.joined(separator: "\n"))
            Recording.received(frame)
            if let id { return (id, frame) }
            unnumbered.append(frame)
        }
        return nil
    }

    /// Reads a piece more; false at the stream's end.
    package mutating func read(_ connection: RawConnection, within limit: Duration = .seconds(10)) throws -> Bool {
        guard let bytes = try more(connection, within: limit) else { return false }
        text += String(decoding: bytes, as: UTF8.self)
        return true
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
