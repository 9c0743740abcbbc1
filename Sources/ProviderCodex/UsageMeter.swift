import JSON
import Providers

/// A turn's tokens, from running totals of the whole thread.
struct UsageMeter: Sendable {
    struct Tokens: Equatable, Sendable {
        var input = 0
        var output = 0
        var cached = 0

        init() {}

        init(_ json: JSON) {
            input = json["inputTokens"]?.intValue ?? 0
            output = json["outputTokens"]?.intValue ?? 0
            cached = json["cachedInputTokens"]?.intValue ?? 0
        }

        static func - (a: Tokens, b: Tokens) -> Tokens {
            var result = Tokens()
            result.input = max(0, a.input &- b.input)
            result.output = max(0, a.output &- b.output)
            result.cached = max(0, a.cached &- b.cached)
            return result
        }

        static func + (a: Tokens, b: Tokens) -> Tokens {
            var result = Tokens()
            result.input = a.input &+ b.input
            result.output = a.output &+ b.output
            result.cached = a.cached &+ b.cached
            return result
        }
    }

    /// Tokens of the model's last request, all of which are in the context now.
    var contextUsed: Int?
    var contextWindow: Int?
    /// The total before the turn; nil while it is unknown, as it is of a resumed or forked thread at first.
    private var baseline: Tokens?
    private var total = Tokens()
    private var agents = Tokens()
    private var hasReport = false

    /// - Parameter isOfTurn: false for the report that a resumed thread begins with.
    mutating func take(total: Tokens, last: Tokens, isOfTurn: Bool) {
        if isOfTurn {
            // A total that fell starts anew.
            if baseline.map({ total.input < $0.input }) ?? true { baseline = total - last }
            hasReport = true
        } else if baseline == nil {
            baseline = total
        }
        self.total = total
    }

    /// What a thread that works for this one has used.
    mutating func addAgent(_ tokens: Tokens) {
        agents = agents + tokens
        hasReport = true
    }

    /// The turn's own tokens; nil when nothing was reported.
    mutating func endTurn(model: String?) -> Usage? {
        defer {
            if hasReport { baseline = total }
            agents = Tokens()
            hasReport = false
        }
        guard hasReport else { return nil }
        let spent = (baseline.map { total - $0 } ?? Tokens()) + agents
        var usage = Usage(
            input: spent.input, output: spent.output, cached: spent.cached, contextUsed: contextUsed,
            contextWindow: contextWindow)
        usage.model = model
        return usage
    }
}

/// The windows of the account's rate limits. Reports are sparse: what one leaves out stays as it was.
struct RateLimits: Sendable {
    private var windows: [String: Quota] = [:]
    private var account: JSONObject = [:]
    private static let limit = 64

    /// The windows that have changed.
    mutating func take(_ snapshot: JSON) -> [Quota] {
        let reached = snapshot["rateLimitReachedType"].map { !$0.isNull } ?? false
        var changed: [Quota] = []
        for key in ["primary", "secondary"] {
            guard let window = snapshot[key], let percent = window["usedPercent"]?.doubleValue else { continue }
            var name = RateLimits.name(window["windowDurationMins"]?.intValue) ?? key
            if let id = snapshot["limitId"]?.stringValue, id != "codex" { name = "\(id)/\(name)" }
            let status = percent >= 100 ? "rejected" : percent >= 80 ? "warning" : "allowed"
            let quota = Quota(
                status: status, resetsAt: window["resetsAt"]?.doubleValue, window: name, utilization: percent / 100)
            guard windows[name] != quota, windows.count < RateLimits.limit || windows[name] != nil else { continue }
            windows[name] = quota
            changed.append(quota)
        }
        // Which window it was isn't said.
        if reached, !changed.isEmpty, !changed.contains(where: { $0.status == "rejected" }), let quota = rejected() {
            changed.append(quota)
        }
        return changed
    }

    /// Credits, plan and spending limits, when they have changed.
    mutating func takeAccount(_ snapshot: JSON) -> JSONObject? {
        var now = account
        for key in ["credits", "individualLimit", "spendControlReached", "planType", "rateLimitReachedType"] {
            if let value = snapshot[key], !value.isNull { now[key] = value }
        }
        guard now != account else { return nil }
        account = now
        return now
    }

    private var fullest: Quota? {
        windows.values.max { ($0.utilization ?? 0, $0.window ?? "") < ($1.utilization ?? 0, $1.window ?? "") }
    }

    /// When the window that is used up most is reset.
    var reset: Double? { fullest?.resetsAt }

    /// The window that refused, as far as can be told: the one that is used up most.
    func rejected() -> Quota? {
        guard var quota = fullest else { return nil }
        quota.status = "rejected"
        return quota
    }

    static func name(_ minutes: Int?) -> String? {
        switch minutes {
        case nil: nil
        case 300: "five_hour"
        case 1440: "one_day"
        case 10_080: "seven_day"
        case .some(let minutes) where minutes % 1440 == 0: "\(minutes / 1440)_day"
        case .some(let minutes) where minutes % 60 == 0: "\(minutes / 60)_hour"
        case .some(let minutes): "\(minutes)_minute"
        }
    }
}
