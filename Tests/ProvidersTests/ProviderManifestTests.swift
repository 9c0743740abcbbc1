import Foundation
import JSON
import Testing

@testable import Providers

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
                "authentication.settings[0].key", "is missing"
            ),
            (#"{"id":"x","adapter":"telnet","command":["x"]}"#, "adapter", "must be one of claude-stream-json"),
            (#"{"id":"x","adapter":"acp","command":["${hom}/x"]}"#, "command[0]", "has the placeholder ${hom}"),
            (#"{"id":"x","adapter":"acp","command":["${target}/x"]}"#, "command[0]", "has the placeholder ${target}"),
            (
                #"{"id":"x","adapter":"acp","command":["${home:-/x}"]}"#, "command[0]",
                "only a variable can have a text after :-"
            ),
            (
                #"{"id":"x","adapter":"acp","command":["x"],"limits":{"contextWindow":{"default":0}}}"#,
                "limits.contextWindow.default", "whole number above 0"
            ),
            (
                #"{"id":"x","adapter":"acp","command":["x"],"install":[{"id":"a","command":["a"]},{"id":"b"}]}"#,
                "install[1].command", "names no program"
            ),
            (
                #"{"id":"x","adapter":"acp","command":["x"],"install":[{"id":"a","command":["a"]},{"id":"a","command":["a"]}]}"#,
                "install[1].id", "earlier recipe"
            ),
            (#"{"id":"x","adapter":"acp","command":["x\u0000"]}"#, "command[0]", "NUL"),
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

    @Test(
        "Placeholders",
        arguments: [
            ("${home}/x", "/h/x"), ("${A}", "1"), ("${B:-${home}/y}", "/h/y"), ("${A:-z}", "1"), ("a${B}b", "ab"),
            ("${home", "${home"), ("${unknown}", "${unknown}"), ("$home {x}", "$home {x}"), ("${B:-{}}", "{}"),
        ])
    func placeholders(_ text: String, _ expanded: String) {
        #expect(Placeholders(values: ["home": "/h"], variables: ["A": "1", "B": ""]).expand(text) == expanded)
    }

    @Test func anIsolatedHomeIsAllThatIsKnownOfHomes() {
        let environment = ProviderEnvironment.build(
            inherited: ["HOME": "/h", "XDG_CONFIG_HOME": "/h/c", "XDG_RUNTIME_DIR": "/run/1", "PATH": "/bin"],
            passing: [], isolatedHome: "/own", additions: [], owner: "me")
        #expect(
            environment == [
                "HOME": "/own", "PATH": "/bin", "XDG_CONFIG_HOME": "/own/.config", "XDG_CACHE_HOME": "/own/.cache",
                "XDG_DATA_HOME": "/own/.local/share", "XDG_STATE_HOME": "/own/.local/state", "CODEAI_HUB_OWNER": "me",
            ])
    }

    @Test(
        "How far it is, where it is said",
        arguments: [
            ("Downloading 42%", 42), ("[###] 7 % done", nil), ("Progress 10 of 40", 25), ("100%|####|", 100),
            ("999%", nil), ("Progress x of y", nil), ("%", nil), ("done", nil),
        ] as [(String, Int?)])
    func percent(_ line: String, _ percent: Int?) {
        #expect(InstallOutput.percent(in: line) == percent)
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
