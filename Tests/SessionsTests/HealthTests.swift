import Testing

@testable import Sessions

@Suite struct HealthTests {
    private let rules = RestRules()

    @Test(arguments: [(0, 0), (1, 1), (2, 2), (3, 4), (6, 32), (7, 60), (8, 60), (10_000, 60)])
    func theWaitDoublesUpToAMinute(failures: Int, seconds: Int) {
        #expect(rules.wait(afterFailures: failures) == .seconds(seconds))
    }

    @Test func noWaitIsNoWait() {
        var rules = RestRules()
        rules.firstWait = .zero
        #expect(rules.wait(afterFailures: 40) == .zero)
    }

    @Test func fiveFailuresInARowOpenTheCircuit() {
        var health = ProviderHealth()
        #expect(health.state(at: .zero) == .ok)
        for second in 1...4 { health.failed(at: .seconds(second), rules) }
        #expect(health.state(at: .seconds(4)) == .backoff)
        #expect(health.until == .seconds(4 + 8))
        #expect(health.admits("a", at: .seconds(4)))
        health.failed(at: .seconds(5), rules)
        #expect(health.state(at: .seconds(5)) == .open)
        #expect(health.until == .seconds(305))
        #expect(!health.admits("a", at: .seconds(304)))
        #expect(health.state(at: .seconds(305)) == .halfOpen)
    }

    @Test func aSuccessBetweenBeginsAnew() {
        var health = ProviderHealth()
        for second in 1...4 { health.failed(at: .seconds(second), rules) }
        health.worked()
        #expect(health.state(at: .seconds(4)) == .ok && health.failures == 0)
        for second in 5...8 { health.failed(at: .seconds(second), rules) }
        #expect(health.state(at: .seconds(8)) == .backoff)
    }

    @Test func oneTriesAndItsSuccessCloses() {
        var health = opened()
        #expect(health.admits("a", at: .seconds(400)) && health.admits("b", at: .seconds(400)))
        health.starts(in: "a", at: .seconds(400), rules)
        #expect(health.admits("a", at: .seconds(401)) && !health.admits("b", at: .seconds(401)))
        health.worked()
        #expect(health.admits("b", at: .seconds(402)) && health.state(at: .seconds(402)) == .ok)
    }

    @Test func itsFailureOpensAgain() {
        var health = opened()
        health.starts(in: "a", at: .seconds(400), rules)
        health.failed(at: .seconds(401), rules)
        #expect(health.state(at: .seconds(402)) == .open && health.until == .seconds(701))
        #expect(!health.admits("a", at: .seconds(402)))
    }

    @Test func whenItCannotTellAnotherTries() {
        var health = opened()
        health.starts(in: "a", at: .seconds(400), rules)
        health.trialEnded(in: "b")
        #expect(!health.admits("b", at: .seconds(401)))
        health.trialEnded(in: "a")
        #expect(health.admits("b", at: .seconds(401)))
    }

    @Test func aLongTrialKeepsNobodyWaiting() {
        var health = opened()
        health.starts(in: "a", at: .seconds(400), rules)
        #expect(!health.admits("b", at: .seconds(699)))
        #expect(health.admits("b", at: .seconds(700)))
    }

    @Test func severalThatLoseOneProcessAreOneFailure() {
        var health = ProviderHealth()
        for _ in 0..<10 { health.failed(at: .seconds(1), rules) }
        #expect(health.failures == 1 && health.state(at: .seconds(1)) == .backoff)
    }

    private func opened() -> ProviderHealth {
        var health = ProviderHealth()
        for second in 1...5 { health.failed(at: .seconds(second), rules) }
        return health
    }
}
