import JSON
import Providers

// The windows of a subscription's rate limit.
extension ClaudeDecoder {
    /// One `quota` for each window that has changed, the one that decides last.
    mutating func rateLimit(_ json: JSON) {
        guard let info = json["rate_limit_info"], let word = info["status"]?.stringValue else {
            return custom("rate_limit_event", json)
        }
        let deciding = info["rateLimitType"]?.stringValue
        // Beyond the limit but paid for by use: requests are answered all the same.
        let isRejected = word == "rejected" && info["isUsingOverage"]?.boolValue != true
        let windows = info["unifiedWindows"]?.objectValue ?? [:]
        for (name, window) in windows where name != deciding {
            let status = window["status"]?.stringValue ?? "allowed"
            note(
                Quota(
                    // One that is used up doesn't have requests refused unless the deciding one says so.
                    status: status == "allowed" ? status : "warning", resetsAt: window["resetsAt"]?.doubleValue,
                    window: name, utilization: window["utilization"]?.doubleValue))
        }
        if let status = info["overageStatus"]?.stringValue, info["isUsingOverage"]?.boolValue == true {
            note(
                Quota(
                    status: ClaudeDecoder.quotaStatus(status), resetsAt: info["overageResetsAt"]?.doubleValue,
                    window: "overage"))
        }
        let quota = Quota(
            status: isRejected ? "rejected" : word == "allowed" ? "allowed" : "warning",
            resetsAt: info["resetsAt"]?.doubleValue, window: deciding,
            utilization: info["utilization"]?.doubleValue
                ?? deciding.flatMap { windows[$0]?["utilization"]?.doubleValue })
        quotaRejection = isRejected ? quota : nil
        if quotas.count < ClaudeDecoder.tableLimit { quotas[deciding ?? ""] = quota }
        emit(.quota(quota))
    }

    private mutating func note(_ quota: Quota) {
        let name = quota.window ?? ""
        guard quotas[name] != quota, quotas.count < ClaudeDecoder.tableLimit else { return }
        quotas[name] = quota
        emit(.quota(quota))
    }

    private static func quotaStatus(_ word: String) -> String {
        switch word {
        case "allowed", "rejected": word
        default: "warning"
        }
    }
}
