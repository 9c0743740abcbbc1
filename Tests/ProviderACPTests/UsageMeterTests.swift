import JSON
import Providers
import Testing

@testable import ProviderACP

@Suite struct UsageMeterTests {
    /// Agents count in different ways; what becomes of it means the same: all input, the cache's included.
    @Test(arguments: [
        // The cache's tokens beside the input, as Anthropic's API counts.
        (
            #"{"totalTokens":1160,"inputTokens":100,"outputTokens":10,"cachedReadTokens":1000,"cachedWriteTokens":50}"#,
            1150, 10
        ),
        // Within it, as OpenAI's does.
        (#"{"totalTokens":1110,"inputTokens":1100,"outputTokens":10,"cachedReadTokens":1000}"#, 1100, 10),
        // Thoughts beside the output, and within it.
        (#"{"totalTokens":160,"inputTokens":100,"outputTokens":10,"thoughtTokens":50}"#, 100, 60),
        (#"{"totalTokens":160,"inputTokens":100,"outputTokens":60,"thoughtTokens":50}"#, 100, 60),
        // No total: more from the cache than came in can't be within it.
        (#"{"inputTokens":100,"outputTokens":10,"cachedReadTokens":1000}"#, 1100, 10),
        (#"{"inputTokens":1100,"outputTokens":10,"cachedReadTokens":1000}"#, 1100, 10),
        // A total that fits nothing says nothing.
        (#"{"totalTokens":7,"inputTokens":100,"outputTokens":10}"#, 100, 10),
    ])
    func tokensMeanTheSame(usage: String, input: Int, output: Int) throws {
        var meter = UsageMeter(resumes: false, knownCostUsd: nil)
        let answer: JSON = ["usage": try JSON.parse(usage)]
        let ended = meter.endTurn(answer, isCumulative: false, model: nil)
        let made = try #require(ended)
        #expect(made.input == input && made.output == output)
        #expect(made.cached <= made.input)
    }

    @Test func absurdCountsAreNone() throws {
        var meter = UsageMeter(resumes: false, knownCostUsd: nil)
        let usage: JSON = ["inputTokens": .int(.max), "outputTokens": .int(.max), "cachedReadTokens": .int(.max)]
        let ended = meter.endTurn(["usage": usage], isCumulative: false, model: nil)
        #expect(ended == nil)
    }
}
