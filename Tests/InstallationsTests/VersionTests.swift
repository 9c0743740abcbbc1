import Installations
import Testing

@Suite struct VersionTests {
    @Test func theOrderIsThatOfSemanticVersioning() throws {
        // The examples of sections 9 to 11, and what they leave open.
        let order = [
            "0.0.1", "0.9.0", "0.10.0", "1.0.0-0", "1.0.0-0.3.7", "1.0.0-1", "1.0.0-2", "1.0.0-10",
            "1.0.0-99999999999999999999999", "1.0.0-alpha", "1.0.0-alpha.1", "1.0.0-alpha.beta", "1.0.0-beta",
            "1.0.0-beta.2",
            "1.0.0-beta.11", "1.0.0-rc.1", "1.0.0-x-y-z.--", "1.0.0", "1.0.0+1", "1.0.0+build", "1.0.1", "2.0.0",
            "2.1.0", "2.1.1", "10.0.0", "99999999999999999999.0.0",
        ]
        let versions = try order.map { try #require(Version($0)) }
        for (place, one) in versions.enumerated() {
            for (otherPlace, other) in versions.enumerated() {
                #expect((one < other) == (place < otherPlace), "\(one) and \(other)")
                #expect((one == other) == (place == otherPlace))
            }
        }
    }

    @Test(
        arguments: [
            "", "1", "1.2", "1.2.3.4", "01.2.3", "1.02.3", "1.2.03", "1.2.3-", "1.2.3+", "1.2.3-01", "1.2.3-a..b",
            "1.2.3+a+b", "1.2.3+a..b", "v1.2.3", " 1.2.3", "1.2.3 ", "1.2.3\n", "../../etc", "1.2.3/..", "1.2.3-/../x",
            "1.2.3-\u{0}", "1.2.3-ä", "-1.2.3", "1.-2.3", "..", ".", "current", "1.2.3_4", "1.2.3\\x",
            "1.2.3-" + String(repeating: "a", count: 59),
        ])
    func anythingElseIsNone(_ text: String) { #expect(Version(text) == nil) }

    @Test func whatIsOneIsAPlainName() throws {
        for text in ["0.0.0", "1.2.3-" + String(repeating: "a", count: 58), "1.0.0-alpha-a.b-c+exp.sha.5114f85"] {
            let version = try #require(Version(text))
            #expect(version.description == text)
        }
    }

    @Test func aPrereleaseIsBelowItsRelease() throws {
        let (release, before) = (try #require(Version("2.0.0")), try #require(Version("2.0.0-rc.9")))
        #expect(before < release)
        #expect(before.isPrerelease)
        #expect(!release.isPrerelease)
        #expect(!(try #require(Version("2.0.0+x-y"))).isPrerelease)
    }

    @Test func namesOfComponents() {
        #expect(Component("core") == .core)
        #expect(Component("provider:claudeCodeCli") == .provider("claudeCodeCli"))
        for name in ["", "Core", "provider:", "provider:../x", "provider:a/b", "provider:-x", "provider:a.b"] {
            #expect(Component(name) == nil, "\(name)")
        }
    }
}
