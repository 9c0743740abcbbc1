import Base
import TestSupport

/// What one client has been given of each session, in the order in which it came.
final class Ledger: Sendable {
    struct Content {
        /// The events' ids by session; an event's place is its seq less one.
        var events: [String: [String]] = [:]
        var lost = 0
        var duplicated = 0
        var connections = 0
        var evictions = 0
        /// Times that nothing came for so long that the client gave up its connection.
        var stalls = 0
        var trouble: [String] = []
    }

    let name: String
    private let content = Lock(Content())

    init(_ name: String, sessions: [String]) {
        self.name = name
        content.withLock { for session in sessions { $0.events[session] = [] } }
    }

    var now: Content { content.withLock { $0 } }

    /// The cursors to come back with.
    var cursors: [String: Int] { content.withLock { $0.events.mapValues(\.count) } }

    func change(_ body: (inout Content) -> Void) { content.withLock { body(&$0) } }

    func receive(_ session: String, seq: Int, id: String) {
        content.withLock { content in
            let count = content.events[session]?.count ?? 0
            if seq <= count {
                content.duplicated += 1
                content.trouble.append("\(session) \(seq) came again, \(count) was the last")
            } else {
                if seq > count + 1 {
                    content.lost += seq - count - 1
                    content.trouble.append(
                        "\(session) \(seq) came, \(count) was the last, on connection \(content.connections)")
                    content.events[session, default: []] += Array(repeating: "lost", count: seq - count - 1)
                }
                content.events[session, default: []].append(id)
            }
        }
    }

    func hasReached(_ target: [String: Int]) -> Bool {
        content.withLock { content in
            target.allSatisfy { session, count in content.events[session].map { $0.count >= count } ?? true }
        }
    }
}
