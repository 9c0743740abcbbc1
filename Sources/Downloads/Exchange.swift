import Base
import Glibc
import HTTP1

/// One request and its answer, on a connection of its own: a few in a life are not worth keeping any open.
final class Exchange {
    let head: HTTPResponseHead
    /// Who answers, for messages.
    private let name: String
    private let limits: DownloadLimits
    private let reader: AnswerReader
    /// Heads of interim answers (1xx) that are read over.
    private static let interimHeads = 8

    /// Sends a request and reads the answer's head.
    /// - Parameter bodyLimit: beyond it the answer is refused, by its head where that tells.
    init(
        _ name: String, _ request: [UInt8], over channel: any Channel, bodyLimit: Int, limits: DownloadLimits,
        until deadline: Patience.Instant
    ) throws(DownloadError) {
        self.name = name
        self.limits = limits
        reader = AnswerReader(name, channel, bodyLimit: bodyLimit)
        try channel.send(request, until: deadline)
        for _ in 0...Exchange.interimHeads {
            guard case .head(let head) = try reader.next(until: deadline) else {
                throw DownloadError(.unreachable, "\(name) closed the connection without an answer")
            }
            guard head.status != 101 else { break }
            guard head.status < 200 else {
                self.head = head
                return
            }
        }
        throw DownloadError(.badAnswer, "\(name) sends interim answers and no other")
    }

    /// Whether something came behind the head already.
    var hasMore: Bool { reader.hasMore }

    /// Reads the body, piece by piece, each lent for the time of the call.
    /// - Parameter minimumRate: bytes a second; nil for any.
    func readBody(
        minimumRate: Int?, _ take: (UnsafeRawBufferPointer) throws(DownloadError) -> Void
    ) throws(DownloadError) {
        var (windowStart, windowBytes) = (Patience.Instant.now, 0)
        while true {
            let stall = Patience.Instant.now + limits.stallTimeout
            let deadline = minimumRate == nil ? stall : min(stall, windowStart + limits.rateWindow)
            let event: HTTPResponseParser.Event?
            do throws(DownloadError) {
                event = try reader.next(until: deadline)
            } catch  where error.code == .timeout && error.reach == .attempt && deadline < stall {
                // Not silent for long enough, but long enough to know its rate.
                event = nil
            }
            if case .body(let bytes) = event {
                windowBytes += bytes.count
                try take(bytes)
            } else if case .end = event {
                return
            }
            guard let minimumRate, .now - windowStart >= limits.rateWindow else { continue }
            if Double(windowBytes) < Double(minimumRate) * (limits.rateWindow / .seconds(1)) {
                throw DownloadError(.timeout, "\(name) sends less than \(minimumRate) bytes a second")
            }
            (windowStart, windowBytes) = (.now, 0)
        }
    }
}

/// Takes an answer off a channel, part by part.
private final class AnswerReader {
    private let name: String
    private let channel: any Channel
    private var parser: HTTPResponseParser
    /// All that is ever held of an answer.
    private let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 64 << 10, alignment: 16)
    /// What of the buffer was not parsed yet.
    private var rest = UnsafeRawBufferPointer(start: nil, count: 0)

    init(_ name: String, _ channel: any Channel, bodyLimit: Int) {
        self.name = name
        self.channel = channel
        parser = HTTPResponseParser(limits: HTTPLimits(bodyBytes: bodyLimit))
    }

    deinit { buffer.deallocate() }

    var hasMore: Bool { !rest.isEmpty }

    /// - Returns: nil at the end of the connection, between answers.
    func next(until deadline: Patience.Instant) throws(DownloadError) -> HTTPResponseParser.Event? {
        do {
            while true {
                if let event = try parser.next(&rest) { return event }
                let count = try channel.receive(into: buffer, until: deadline)
                if count == 0 { return try parser.finish() }
                rest = UnsafeRawBufferPointer(rebasing: buffer[..<count])
            }
        } catch let error as HTTPParseError {
            throw translated(error)
        } catch let error as DownloadError {
            throw error
        } catch {
            throw DownloadError(.badAnswer, "\(error)")
        }
    }

    private func translated(_ error: HTTPParseError) -> DownloadError {
        switch error.code {
        case .truncated: DownloadError(.unreachable, "the connection to \(name) was cut")
        case .bodyTooLarge: DownloadError(.tooLarge, "\(name) has more than is due: \(error.message)")
        default: DownloadError(.badAnswer, "\(name) doesn't answer as a web server does: \(error.message)")
        }
    }
}
