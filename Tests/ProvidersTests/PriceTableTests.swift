import Base
import JSON
import Providers
import TestSupport
import Testing

@Suite struct PriceTableTests {
    private let table = PriceTable.bundled

    @Test func everyEntryIsSane() throws {
        #expect(table.entries.count > 20)
        // A table from the future, or one nobody has looked at for years, is a slip.
        #expect(table.asOf > (try #require(Day("2025-01-01"))) && table.asOf <= Day(.now))
        #expect(table.source.contains("http") || table.source.contains(".com"))
        var names: Set<String> = []
        for entry in table.entries {
            for name in entry.patterns { #expect(names.insert(name).inserted, "\(name) is there twice") }
            let price = entry.price
            #expect(price.input > 0 && price.output > price.input, "\(entry.patterns)")
            #expect(price.cachedInput > 0 && price.cachedInput <= price.input, "\(entry.patterns)")
            // No list price has been higher; a slip by a factor of a thousand would be.
            #expect(price.output <= 200, "\(entry.patterns)")
            #expect(!entry.patterns.contains { $0.contains("*") }, "\(entry.patterns) would price what nobody knows")
        }
    }

    @Test(arguments: [
        ("claude-sonnet-4-5-20250929", 3.0), ("anthropic/claude-opus-4-5", 5), ("Claude-Haiku-4-5", 1),
        ("gpt-5-codex", 1.25), ("gpt-5-2025-08-07", 1.25), ("gpt-4o-2024-05-13", 5), ("gpt-4o-2024-08-06", 2.5),
        ("models/gemini-2.5-pro", 1.25), ("claude-opus-4-1@20250805", 15), ("mistral-medium-latest", 0.4),
    ])
    func names(model: String, input: Double) { #expect(table.price(of: model)?.input == input) }

    @Test(arguments: [
        "", "/", "claude", "claude-opus-9", "gpt-5-turbo", "gpt-5.5", "gpt-50", "claude-sonnet-4-5[1m]", "small",
        "gpt-5-2025-08", "-20250929", "opus",
    ])
    func whatIsNotNamedHasNoPrice(model: String) { #expect(table.price(of: model) == nil) }

    @Test func cachedTokensArePricedApart() {
        func cost(_ usage: Usage) -> Double? { table.estimate(usage, model: "gpt-5") }
        #expect(cost(Usage(input: 1_000_000)) == 1.25)
        #expect(cost(Usage(input: 1_000_000, cached: 1_000_000)) == 0.125)
        #expect(cost(Usage(input: 1_000_000, output: 1_000_000, cached: 500_000)) == 10.6875)
        // More from the cache than there was, and less than nothing.
        #expect(cost(Usage(input: 1_000_000, cached: 9_000_000)) == 0.125)
        #expect(cost(Usage(input: -5, output: 1_000_000, cached: -3)) == 10)
        #expect(cost(Usage()) == nil)
        #expect(table.estimate(Usage(input: 5), model: "unknown") == nil)
        #expect((cost(Usage(input: .max, output: .max)) ?? 0) > 0)
    }

    @Test(arguments: [
        ("", "JSON"), ("[]", "must be an object"), (#"{"schema":2}"#, "schema"), (#"{"schema":1}"#, "asOf"),
        (#"{"schema":1,"asOf":"2026-02-30","models":[]}"#, "asOf"), (#"{"schema":1,"asOf":"2026-02-01"}"#, "models"),
        (#"{"schema":1,"asOf":"2026-02-01","models":[],"x":1}"#, "x: is unknown"),
        (#"{"schema":1,"asOf":"2026-02-01","models":[1]}"#, "models[0]"),
        (#"{"schema":1,"asOf":"2026-02-01","models":[{"match":"a","input":1,"output":1}]}"#, "models[0].match"),
        (#"{"schema":1,"asOf":"2026-02-01","models":[{"match":["a*b"],"input":1,"output":1}]}"#, "models[0].match"),
        (#"{"schema":1,"asOf":"2026-02-01","models":[{"match":["a"],"output":1}]}"#, "models[0].input"),
        (#"{"schema":1,"asOf":"2026-02-01","models":[{"match":["a"],"input":1,"output":"1"}]}"#, "models[0].output"),
        (#"{"schema":1,"asOf":"2026-02-01","models":[{"match":["a"],"input":-1,"output":1}]}"#, "models[0].input"),
        (#"{"schema":1,"asOf":"2026-02-01","models":[{"match":["a"],"input":1,"ouput":1}]}"#, "models[0].ouput"),
    ])
    func errorsNameTheirPlace(text: String, part: String) {
        let error = #expect(throws: PriceTable.Invalid.self) { try PriceTable(bytes: Array(text.utf8)) }
        #expect(error?.description.contains(part) == true, "\(String(describing: error))")
    }

    @Test func thePersonsOwnPricesComeFirstAndAreReadAgain() throws {
        let folder = try TemporaryFolder("prices")
        let path = folder.path + "/prices.json"
        let book = PriceBook(path: path)
        var problems: [String] = []
        book.onProblem = { problems.append($0) }
        let million = Usage(input: 1_000_000)
        #expect(book.estimate(million, model: "gpt-5") == 1.25)
        #expect(book.estimate(million, model: "my-model-7") == nil)
        try folder.write(
            "prices.json",
            #"{"schema":1,"asOf":"2026-05-01","models":[{"match":["my-*"],"input":2,"output":3},{"match":["gpt-5"],"input":9,"output":9}]}"#
        )
        #expect(book.estimate(million, model: "my-model-7") == 2)
        #expect(book.estimate(million, model: "gpt-5") == 9)
        #expect(book.estimate(million, model: "gpt-5-nano") == 0.05)
        #expect(book.tables.count == 2)
        try folder.write("prices.json", #"{"schema":1,"asOf":"2026-05-01","models":[{"match":["my-*"]}]}"#)
        #expect(book.estimate(million, model: "gpt-5") == 1.25)
        #expect(book.estimate(million, model: "my-model-7") == nil)
        // Said once, with file and place.
        #expect(problems.count == 1 && problems[0].contains(path) && problems[0].contains("models[0].input"))
    }
}
