import Base
import Testing

@Suite struct DayAndMoneyTests {
    @Test(arguments: [
        ("1970-01-01", 0), ("1970-01-02", 1), ("2000-02-29", 11_016), ("2026-11-21", 20_778),
    ])
    func days(text: String, number: Int) {
        #expect(Day(text)?.daysSince1970 == number)
        #expect(Day(daysSince1970: number).description == text)
    }

    @Test(arguments: ["", "2026-2-1", "2026-02-30", "2026-13-01", "1969-12-31", "2026-01-01T", "2026-01-0x", "today"])
    func whatIsNoDay(text: String) { #expect(Day(text) == nil) }

    @Test func aDayEndsAtMidnight() throws {
        let last = try #require(Timestamp("2026-03-01T23:59:59.999Z"))
        #expect(Day(last).description == "2026-03-01")
        #expect(Day(Timestamp(milliseconds: last.milliseconds + 1)) == Day(last) + 1)
        #expect(Day(Timestamp(milliseconds: -1)) == Day(daysSince1970: -1))
        #expect((Day(last) + 1).start.description == "2026-03-02T00:00:00.000Z")
    }

    @Test func sumsAreExact() {
        var sum = Money.zero
        for _ in 0..<10 { sum += Money(usd: 0.1) }
        #expect(sum == Money(usd: 1) && sum.usd == 1)
        #expect(Money(usd: 0.1) + Money(usd: 0.2) == Money(usd: 0.3))
        #expect(Money(usd: 1) - Money(usd: 3) == .zero)
        for nothing: Double in [-1, .nan, -Double.infinity, 0] { #expect(Money(usd: nothing) == .zero) }
        let most = Money(usd: .infinity)
        #expect(most == Money(nanodollars: .max) && most + most == most && most > Money(usd: 1e9))
    }
}
