import JSON
import Providers

/// Tokens, context and money: what agents report as running totals, made into each turn's own.
struct UsageMeter: Sendable, Equatable {
    private struct Tokens: Sendable, Equatable {
        var input = 0
        var output = 0
        var cached = 0
    }

    /// Totals up to the last turn's end; nil: not known, since the session was resumed.
    private var countedTokens: Tokens?
    private var countedCost: Double?
    private var cost: Double?
    private var contextUsed: Int?
    private var contextWindow: Int?

    init(resumes: Bool, knownCostUsd: Double?) {
        countedTokens = resumes ? nil : Tokens()
        countedCost = knownCostUsd ?? (resumes ? nil : 0)
    }

    /// Takes a `usage_update`.
    /// - Returns: the context's fill when it has changed. Money is told at the turn's end only: a sum over events must
    ///   not count it twice.
    mutating func take(_ update: JSON) -> Usage? {
        if update["cost"]?["currency"]?.stringValue == "USD", let amount = UsageMeter.amount(update["cost"]) {
            cost = amount
        }
        let used = UsageMeter.count(update["used"])
        let size = UsageMeter.count(update["size"])
        guard used != contextUsed || size != contextWindow else { return nil }
        contextUsed = used
        contextWindow = size
        return Usage(contextUsed: used, contextWindow: size)
    }

    /// Takes a `usage_update` of a replayed history: what was used before we came.
    mutating func takeBaseline(_ update: JSON) {
        _ = take(update)
        if let cost { countedCost = cost }
        // Not in the protocol, but some agents tell their totals beside it.
        let meta = update["_meta"]
        if let input = UsageMeter.count(meta?["inputTokens"] ?? meta?["promptTokens"]),
            let output = UsageMeter.count(meta?["outputTokens"] ?? meta?["completionTokens"])
        {
            countedTokens = Tokens(
                input: input, output: output, cached: UsageMeter.count(meta?["cachedTokens"]) ?? 0)
        }
    }

    /// - Parameters:
    ///   - result: the answer to the prompt.
    ///   - model: the session's, for agents that don't name the one that it was.
    /// - Returns: what the turn alone used; nil when nothing is known.
    mutating func endTurn(_ result: JSON?, isCumulative: Bool, model: String?) -> Usage? {
        var usage = Usage(contextUsed: contextUsed, contextWindow: contextWindow)
        var isKnown = false
        if let tokens = reported(result, isCumulative: isCumulative) {
            usage.input = tokens.input
            usage.output = tokens.output
            usage.cached = tokens.cached
            isKnown = true
        }
        if let cost {
            // Resumed and nothing known of before: this turn's share cannot be told, the next one's can.
            if let counted = countedCost {
                // Differences of decimal fractions, without the dust that binary ones leave.
                usage.costUsd = ((cost >= counted ? cost - counted : cost) * 1e9).rounded() / 1e9
                isKnown = true
            }
            countedCost = cost
        }
        guard isKnown else { return nil }
        // Gemini CLI tells each model's share; several of them are no one's.
        let shares = result?["_meta"]?["quota"]?["model_usage"]?.arrayValue
        usage.model = shares.map { $0.count == 1 ? $0[0]["model"]?.stringValue : nil } ?? model
        return usage
    }

    private mutating func reported(_ result: JSON?, isCumulative: Bool) -> Tokens? {
        // Gemini CLI tells the turn's own figures here.
        if let own = result?["_meta"]?["quota"]?["token_count"] {
            guard let input = UsageMeter.count(own["input_tokens"]), let output = UsageMeter.count(own["output_tokens"])
            else { return nil }
            return Tokens(input: input, output: output)
        }
        guard let usage = result?["usage"], let input = UsageMeter.count(usage["inputTokens"]),
            let output = UsageMeter.count(usage["outputTokens"])
        else { return nil }
        let total = UsageMeter.tokens(usage, input: input, output: output)
        guard isCumulative else { return total }
        defer { countedTokens = total }
        guard let counted = countedTokens else { return nil }
        // A total that fell was begun anew.
        guard total.input >= counted.input, total.output >= counted.output else { return total }
        return Tokens(
            input: total.input - counted.input, output: total.output - counted.output,
            cached: max(0, total.cached - counted.cached))
    }

    /// Agents differ in whether `inputTokens` has the cache's tokens in it, and `outputTokens` the thoughts. Which of
    /// them add up to `totalTokens` tells; where that is missing, more from the cache than came in does.
    private static func tokens(_ usage: JSON, input: Int, output: Int) -> Tokens {
        let read = count(usage["cachedReadTokens"]) ?? 0
        let written = count(usage["cachedWriteTokens"]) ?? 0
        let thought = count(usage["thoughtTokens"]) ?? 0
        let total = count(usage["totalTokens"])
        let inputs = [input, input + read + written, input + written]
        let outputs = [output, output + thought]
        for output in outputs {
            for input in inputs where input + output == total {
                return Tokens(input: max(input, read), output: output, cached: read)
            }
        }
        return Tokens(input: read > input ? inputs[1] : input, output: output, cached: read)
    }

    /// More than any session uses is no count.
    private static func count(_ json: JSON?) -> Int? {
        json?.intValue.flatMap { (0...1 << 50).contains($0) ? $0 : nil }
    }

    private static func amount(_ cost: JSON?) -> Double? {
        cost?["amount"]?.doubleValue.flatMap { $0.isFinite && $0 >= 0 ? $0 : nil }
    }
}
