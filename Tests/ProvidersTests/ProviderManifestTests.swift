import Foundation
import JSON
import Providers
import Testing

struct ProviderManifestTests {
    private func manifest(_ text: String) throws -> ProviderManifest {
        try ProviderManifest(try JSON.parse(text), path: "module.json")
    }

    @Test func theSmallestManifestIsIdAdapterAndCommand() throws {
        let manifest = try manifest(#"{"id":"x","adapter":"acp","command":["x-agent"]}"#)
        #expect(manifest.name == "x" && manifest.isEnabled && manifest.authentication == nil)
    }

    @Test(
        "A manifest that is wrong says where and why",
        arguments: [
            (#"[]"#, "", "must be an object"),
            (#"{"adapter":"acp","command":["x"]}"#, "id", "is missing"),
            (#"{"id":"../x","adapter":"acp","command":["x"]}"#, "id", "only letters"),
            (#"{"id":"x","command":["x"]}"#, "adapter", "is missing"),
            (#"{"id":"x","adapter":"acp"}"#, "command", "names no program"),
            (#"{"id":"x","adapter":"acp","command":"x"}"#, "command", "must be an array"),
            (#"{"id":"x","adapter":"acp","command":["x",1]}"#, "command[1]", "must be a string"),
            (#"{"id":"x","adapter":"acp","command":["x"],"environment":{"A":1}}"#, "environment.A", "must be a string"),
            (
                #"{"id":"x","adapter":"acp","command":["x"],"environment":{"A=B":"1"}}"#, "environment.A=B",
                "no valid variable"
            ),
            (
                #"{"id":"x","adapter":"acp","command":["x"],"passEnvironment":["*"]}"#, "passEnvironment",
                "must not be empty"
            ),
            (
                #"{"id":"x","adapter":"acp","command":["x"],"capabilities":{"resume":1}}"#, "capabilities.resume",
                "true or false"
            ),
            (
                #"{"id":"x","adapter":"acp","command":["x"],"version":{"minimun":"1"}}"#, "version.minimun",
                "is not known"
            ),
            (#"{"id":"x","adapter":"acp","command":["x"],"comand":["y"]}"#, "comand", "is not known"),
            (#"{"id":"x","adapter":"acp","command":["x"],"options":[]}"#, "options", "must be an object"),
            (
                #"{"id":"x","adapter":"acp","command":["x"],"authentication":{"settings":[{"file":"f"}]}}"#,
                "authentication.settings.key", "is missing"
            ),
        ])
    func wrong(_ text: String, _ key: String, _ reason: String) throws {
        let json = try JSON.parse(text)
        let error = #expect(throws: ManifestError.self) { try ProviderManifest(json, path: "/p/module.json") }
        #expect(error?.key == key)
        #expect(error?.reason.contains(reason) == true)
        #expect(error?.description.hasPrefix("/p/module.json: ") == true)
    }

    @Test(
        "Versions",
        arguments: [
            ("2.1.329 (Claude Code)", "2.1.329"), ("codex-cli 0.163.0\n", "0.163.0"), ("v1.2", "1.2"),
            ("tool 1.0.0-beta.2", "1.0.0-beta.2"),
            ("no version here", nil), ("", nil),
        ] as [(String, String?)])
    func versions(_ text: String, _ version: String?) {
        #expect(ProviderVersion.find(in: text) == version)
    }

    @Test func versionsCompareByNumbers() {
        #expect(ProviderVersion.isAtLeast("2.0.0", "2.1.329"))
        #expect(ProviderVersion.isAtLeast("2.9", "2.10"))
        #expect(ProviderVersion.isAtLeast("1.0", "1"))
        #expect(!ProviderVersion.isAtLeast("2.0.1", "2.0"))
        #expect(ProviderVersion.isAtLeast("1.0.0", "1.0.0-beta"))
    }

    @Test func anEnvironmentHasOnlyWhatIsAllowed() {
        let inherited = [
            "HOME": "/h", "PATH": "/bin", "LC_ALL": "C", "ANTHROPIC_API_KEY": "a", "OPENAI_API_KEY": "o",
            "LD_PRELOAD": "x",
            "CODEAI_HUB_HOME": "y",
        ]
        let environment = ProviderEnvironment.build(
            inherited: inherited, passing: ["ANTHROPIC_*"], additions: [["A": "1", "PATH": "/x"], ["A": "2"]],
            owner: "me")
        #expect(
            environment == [
                "HOME": "/h", "PATH": "/x", "LC_ALL": "C", "ANTHROPIC_API_KEY": "a", "A": "2", "CODEAI_HUB_OWNER": "me",
            ])
    }
}
