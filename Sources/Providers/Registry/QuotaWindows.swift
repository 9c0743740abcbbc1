import Base
import JSON

/// What is known of a provider's quota: the newest word on each window.
struct QuotaWindows {
    private var windows: [(quota: Quota, notedAt: Timestamp)] = []

    /// - Returns: whether that was news.
    mutating func note(_ quota: Quota, at time: Timestamp) -> Bool {
        let index = windows.firstIndex { $0.quota.window == quota.window }
        let isNews = index.map { windows[$0].quota != quota } ?? true
        if let index { windows[index] = (quota, time) } else { windows.append((quota, time)) }
        return isNews
    }

    /// Windows that have been reset since say nothing any more.
    func json(at time: Timestamp) -> JSON {
        let now = Double(time.milliseconds) / 1000
        return .array(
            windows.filter { $0.quota.resetsAt.map { $0 > now } ?? true }.map { entry in
                var object = entry.quota.json
                object["notedAt"] = JSON(entry.notedAt.description)
                return .object(object)
            })
    }
}
