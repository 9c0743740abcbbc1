package import Base

/// What models cost by their vendors' list prices on a day: for turns whose provider reports no money.
///
/// An estimate and always called one: subscriptions, discounts and surcharges are not in it. A model that the table
/// doesn't name has no price; none is guessed from models with similar names.
package struct PriceTable: Equatable, Sendable {
    /// USD per million tokens.
    package struct Price: Equatable, Sendable {
        package var input: Double
        /// For input that the vendor had in its cache; as `input` where there is no discount.
        package var cachedInput: Double
        package var output: Double
    }

    package struct Entry: Equatable, Sendable {
        /// Names of models, lower case; one that ends with `*` stands for all that begin so.
        package var patterns: [String]
        package var price: Price
    }

    /// The day for which the prices were looked up.
    package var asOf: Day
    /// Where they are from, for people.
    package var source: String
    /// The first that names a model counts.
    package var entries: [Entry]

    /// - Parameter model: as a provider says it. A vendor before it (`openai/gpt-5`) and a snapshot's date after it
    ///   (`-20250929`, `-2025-08-07`, `@20250929`) may be there, and are passed over unless the table has them.
    package func price(of model: String) -> Price? {
        let name = Substring(model.lowercased())
        let short = name.lastIndex(of: "/").map { name[name.index(after: $0)...] } ?? name
        return named(name) ?? named(short) ?? named(PriceTable.withoutDate(short))
    }

    private func named(_ name: Substring) -> Price? {
        entries.first { $0.patterns.contains { PriceTable.matches($0, name) } }?.price
    }

    private static func matches(_ pattern: String, _ name: Substring) -> Bool {
        pattern.hasSuffix("*") ? name.hasPrefix(pattern.dropLast()) : name == pattern
    }

    static func withoutDate(_ name: Substring) -> Substring {
        for shape in ["-00000000", "-0000-00-00", "@00000000"] {
            let end = name.utf8.suffix(shape.utf8.count)
            let fits = end.elementsEqual(shape.utf8) { byte, form in
                form == UInt8(ascii: "0") ? byte >= 0x30 && byte <= 0x39 : byte == form
            }
            if fits { return name.dropLast(shape.utf8.count) }
        }
        return name
    }

    /// What the tokens cost, in USD; nil when the model has no price or there are no tokens to price.
    package func estimate(_ usage: Usage, model: String) -> Double? {
        let input = max(0, usage.input)
        let output = max(0, usage.output)
        guard input > 0 || output > 0, let price = price(of: model) else { return nil }
        let cached = min(max(0, usage.cached), input)
        let millionths =
            Double(input - cached) * price.input + Double(cached) * price.cachedInput + Double(output) * price.output
        return Money(usd: millionths / 1e6).usd
    }
}
