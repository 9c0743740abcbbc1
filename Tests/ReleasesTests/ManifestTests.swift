import Installations
import JSON
import Testing

@testable import Releases

/// What a manifest must be.
@Suite struct ManifestTests {
    private static let sha1 = String(repeating: "a1", count: 20)
    private static let sha256 = String(repeating: "B2", count: 32)
    private static let entry =
        #""coreVersion":"1.2.3","package":"core-1.2.3.tar.bz2","size":7,"sha1":"\#(sha1)","sha256":"\#(sha256)""#

    private func manifest(_ entry: String, _ more: String = "") -> [UInt8] {
        Array(#"{"schema":1,"platforms":{"linux-x64":{\#(entry)}}\#(more)}"#.utf8)
    }

    @Test func allOfIt() throws {
        let manifest = try Manifest(
            manifest(
                Self.entry + #","unpackedSize":99,"later":[1]"#,
                #","version":"1.2.3","notes":"- new","baseUrl":["https://a.example/v/","b"],"more":{"x":null}"#))
        #expect(manifest.baseURLs == ["https://a.example/v/", "b"])
        #expect(manifest.notes == "- new")
        let entry = try #require(manifest.platforms["linux-x64"])
        #expect(entry.version == Version("1.2.3"))
        #expect(entry.package == "core-1.2.3.tar.bz2")
        #expect(entry.size == 7)
        #expect(entry.sha1 == [UInt8](repeating: 0xa1, count: 20))
        #expect(entry.sha256 == [UInt8](repeating: 0xb2, count: 32))
        #expect(entry.unpackedSize == 99)
    }

    @Test func theLeastOfIt() throws {
        let manifest = try Manifest(manifest(Self.entry))
        #expect(manifest.baseURLs == [])
        #expect(manifest.notes == nil)
        #expect(manifest.platforms["linux-x64"]?.unpackedSize == nil)
        #expect(try Manifest(Array(#"{"schema":1,"platforms":{}}"#.utf8)).platforms.isEmpty)
    }

    @Test(arguments: [
        ("", "no JSON"), ("[]", "no JSON object"), ("{}", "schema"), (#"{"schema":2,"platforms":{}}"#, "schema"),
        (#"{"schema":"1","platforms":{}}"#, "schema"), (#"{"schema":1}"#, "platforms"),
        (#"{"schema":1,"platforms":[]}"#, "platforms"), (#"{"schema":1,"platforms":{"a/b":{}}}"#, "platforms"),
        (#"{"schema":1,"platforms":{"linux-x64":1}}"#, "linux-x64"),
        (#"{"schema":1,"platforms":{},"baseUrl":[]}"#, "baseUrl"),
        (#"{"schema":1,"platforms":{},"baseUrl":["https://a.example",1]}"#, "baseUrl"),
        (#"{"schema":1,"platforms":{},"baseUrl":1}"#, "baseUrl"),
        (#"{"schema":1,"platforms":{},"notes":1}"#, "notes"),
        (String(repeating: "[", count: 100_000), "no JSON"),
    ]) func whatIsNone(text: String, problem: String) {
        expect(problem) { try Manifest(Array(text.utf8)) }
    }

    /// Every member of an entry, missing and wrong.
    @Test(arguments: [
        ("coreVersion", ["\"\"", "\"1.2\"", "\"../1.2.3\"", "\"1.2.3/\"", "1", "null", "\"1.2.3\\u0000\""]),
        (
            "package",
            [
                "\"\"", "\".\"", "\"..\"", "\"../x\"", "\"a/b\"", "\"/a\"", "\"a\\\\b\"", "\"a b\"", "\"-a\"",
                "\"\u{301}a\"", "1",
            ]
        ),
        ("size", ["0", "-1", "1073741825", "1.5", "\"7\"", "null", "1e99"]),
        ("sha1", ["\"\"", "null", "\"a1\"", "\"\(String(repeating: "g", count: 40))\"", "\"\(sha256)\"", "1"]),
        ("sha256", ["\"\"", "null", "\"b2\"", "\"\(String(repeating: "g", count: 64))\"", "\"\(sha1)\"", "1"]),
    ]) func everyMemberCounts(member: String, values: [String]) throws {
        let members = Self.entry.split(separator: ",").map(String.init)
        let others = members.filter { !$0.hasPrefix("\"\(member)\"") }
        #expect(others.count == members.count - 1)
        expect(member) { try Manifest(manifest(others.joined(separator: ","))) }
        for value in values {
            let text = (others + ["\"\(member)\":\(value)"]).joined(separator: ",")
            expect(member) { try Manifest(manifest(text)) }
        }
        expect("unpackedSize") { try Manifest(manifest(Self.entry + #","unpackedSize":0"#)) }
    }

    @Test func modulesOfProviders() throws {
        let text = #"""
            {"schema":1,"baseUrl":"x/","providers":{"claudeCodeCli":{"version":"1.2.0","minimumCore":"0.1.0","package":"m.tar.bz2",
            "size":1,"sha1":"\#(Self.sha1)","sha256":"\#(Self.sha256)"}}}
            """#
        let manifest = try ProvidersManifest(Array(text.utf8))
        let entry = try #require(manifest.providers["claudeCodeCli"])
        #expect(entry.version == Version("1.2.0"))
        #expect(entry.minimumCore == Version("0.1.0"))
        #expect(manifest.baseURLs == ["x/"])
    }

    private func expect(_ problem: String, _ body: () throws -> Any) {
        let error = #expect(throws: ReleaseError.self) { _ = try body() }
        #expect(error?.code == "manifest_invalid")
        #expect(error?.message.contains(problem) == true, "\(error?.message ?? "")")
    }
}
