import Base
import JSON

/// What a turn took: time, tokens, money.
enum TurnSummary {
    static func text(_ data: JSONObject) -> String {
        var parts: [String] = []
        if let time = data["durationMs"]?.doubleValue, time >= 0, time < 1e12 {
            parts.append(Clock.duration(seconds: time / 1000))
        }
        if let usage = data["usage"] {
            let figures = [("input", "in"), ("output", "out"), ("cached", "cached")]
                .compactMap { key, word in
                    (usage[key]?.intValue).flatMap { $0 > 0 ? "\(count($0)) \(word)" : nil }
                }
            if !figures.isEmpty { parts.append(figures.joined(separator: ", ") + " tokens") }
        }
        if let cost = data["costUsd"]?.doubleValue ?? data["usage"]?["costUsd"]?.doubleValue, cost > 0, cost < 1e9 {
            parts.append((data["costEstimated"] == true ? "~" : "") + money(cost))
        }
        return parts.joined(separator: " · ")
    }

    /// `1234` as `1,234`, `1234567` as `1.2M`.
    static func count(_ number: Int) -> String {
        if number >= 1_000_000 { return "\(fixed(Double(number) / 1e6, digits: 1))M" }
        if number >= 1000 {
            let rest = number % 1000
            return "\(number / 1000),\(rest < 10 ? "00" : rest < 100 ? "0" : "")\(rest)"
        }
        return "\(number)"
    }

    static func money(_ dollars: Double) -> String { "$" + fixed(dollars, digits: dollars < 1 ? 4 : 2) }

    static func fixed(_ number: Double, digits: Int) -> String {
        var scale = 1.0
        for _ in 0..<digits { scale *= 10 }
        guard let scaled = Int(exactly: (number * scale).rounded()) else { return "\(number)" }
        if digits == 0 { return "\(scaled)" }
        let whole = scaled / Int(scale)
        let rest = String(scaled % Int(scale))
        return "\(whole)." + String(repeating: "0", count: digits - rest.count) + rest
    }
}

enum Clock {
    /// `850 ms`, `12.3 s`, `4 min 5 s`, `2 h 3 min`.
    static func duration(seconds: Double) -> String {
        guard seconds.isFinite, seconds >= 0, seconds < 1e9 else { return "?" }
        if seconds < 1 { return "\(Int(seconds * 1000)) ms" }
        if seconds < 60 {
            let text = TurnSummary.fixed(seconds, digits: 1)
            // Tenths that are always 0 only flicker.
            return (text.hasSuffix(".0") ? String(text.dropLast(2)) : text) + " s"
        }
        let whole = Int(seconds)
        if whole < 3600 { return "\(whole / 60) min \(whole % 60) s" }
        return "\(whole / 3600) h \(whole % 3600 / 60) min"
    }

    /// RFC 3339 without fractions, in UTC.
    static func text(seconds: Int) -> String {
        guard seconds > 0, seconds < 253_402_300_800 else { return "?" }
        return String(Timestamp(milliseconds: Int64(seconds) * 1000).description.prefix(16)) + "Z"
    }

    /// An RFC 3339 time in UTC, without the day when that is today: `10:00:05Z`, `2026-11-22T10:00Z`.
    static func short(_ text: String, now: Timestamp = .now) -> String {
        guard let time = Timestamp(text)?.description else { return "?" }
        let isToday = time.prefix(10) == now.description.prefix(10)
        return (isToday ? time.dropFirst(11).prefix(8) : time.prefix(16)) + "Z"
    }

    /// How long ago an RFC 3339 time was: `now`, `5 min`, `3 h`, `12 d`.
    static func age(of text: String, now: Timestamp = .now) -> String {
        guard let time = Timestamp(text) else { return "" }
        let seconds = max(0, (now.milliseconds - time.milliseconds) / 1000)
        switch seconds {
        case ..<60: return "now"
        case ..<3600: return "\(seconds / 60) min"
        case ..<86400: return "\(seconds / 3600) h"
        default: return "\(seconds / 86400) d"
        }
    }
}
