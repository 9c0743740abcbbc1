/// Requests that wait for their `ack`. Pure.
struct PendingTable<Waiter> {
    struct Entry {
        let requestId: String
        /// The frame's text, ready to be sent (again).
        let frame: [UInt8]
        /// May be sent twice: the daemon does it once.
        let isIdempotent: Bool
        let waiter: Waiter
        fileprivate(set) var wasSent = false
    }

    /// In the order in which they were asked for, which is the order in which they are sent again.
    private var entries: [Entry] = []
    private(set) var bytes = 0
    /// The most bytes of frames that may wait.
    let limit: Int

    init(limit: Int) {
        self.limit = limit
    }

    var isEmpty: Bool { entries.isEmpty }

    /// False when the frames that wait would be more than `limit` bytes.
    mutating func insert(requestId: String, frame: [UInt8], isIdempotent: Bool, waiter: Waiter) -> Bool {
        guard entries.isEmpty || bytes + frame.count <= limit else { return false }
        bytes += frame.count
        entries.append(Entry(requestId: requestId, frame: frame, isIdempotent: isIdempotent, waiter: waiter))
        return true
    }

    mutating func remove(_ requestId: String) -> Waiter? {
        guard let index = entries.firstIndex(where: { $0.requestId == requestId }) else { return nil }
        let entry = entries.remove(at: index)
        bytes -= entry.frame.count
        return entry.waiter
    }

    /// The frames to send now that there is a connection: those never sent, and those sent before on another one.
    mutating func takeFramesToSend() -> [[UInt8]] {
        for index in entries.indices { entries[index].wasSent = true }
        return entries.map(\.frame)
    }

    mutating func markSent(_ requestId: String) {
        guard let index = entries.firstIndex(where: { $0.requestId == requestId }) else { return }
        entries[index].wasSent = true
    }

    /// The connection is gone: removes what was sent and must not be sent twice. Nobody knows what became of it.
    mutating func connectionLost() -> [Waiter] {
        let lost = entries.filter { $0.wasSent && !$0.isIdempotent }
        entries.removeAll { $0.wasSent && !$0.isIdempotent }
        bytes = entries.reduce(0) { $0 + $1.frame.count }
        return lost.map(\.waiter)
    }

    mutating func removeAll() -> [Waiter] {
        defer {
            entries = []
            bytes = 0
        }
        return entries.map(\.waiter)
    }
}
