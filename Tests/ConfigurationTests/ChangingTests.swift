import Base
import Foundation
import Glibc
import JSON
import TestSupport
import Testing

@testable import Configuration

private func set(_ text: String, _ path: String, _ value: JSON?) -> String {
    var edit = JSONTextEdit(Array(text.utf8))
    let path = path.split(separator: ".").map(String.init)
    if let value { edit.set(path, value) } else { edit.remove(path) }
    return String(decoding: edit.text, as: UTF8.self)
}

@Suite struct TextEditTests {
    @Test(arguments: [
        (#"{"a":{"b":1}}"#, "a.b", #"{"a":{"b":7}}"#),
        (#"{ "a" : { "b" : "x,}\"" , "c":[1, 2] } }"#, "a.b", #"{ "a" : { "b" : 7 , "c":[1, 2] } }"#),
        (#"{"a":{"b":1}}"#, "a.c", #"{"a":{"b":1,"c": 7}}"#),
        (#"{"a": 1, "b": 2}"#, "c", #"{"a": 1, "b": 2, "c": 7}"#),
        ("{\n  \"a\": {\n    \"b\": 1\n  }\n}\n", "a.c", "{\n  \"a\": {\n    \"b\": 1,\n    \"c\": 7\n  }\n}\n"),
        ("{\n  \"a\": {}\n}\n", "a.c", "{\n  \"a\": {\n    \"c\": 7\n  }\n}\n"),
        ("{}", "a.b", "{\n  \"a\": {\n    \"b\": 7\n  }\n}"),
        (
            "{\n  \"x\": 1\n}", "providers.echo.model",
            "{\n  \"x\": 1,\n  \"providers\": {\n    \"echo\": {\n      \"model\": 7\n    }\n  }\n}"
        ),
        (#"{"a":{"b":{"c":[{"b":1}]}}}"#, "a.b", #"{"a":{"b":7}}"#),
    ])
    func aValueIsSetAndNothingElse(_ text: String, _ path: String, _ expected: String) {
        #expect(set(text, path, 7) == expected)
    }

    @Test(arguments: [
        (#"{"a":{"b":1}}"#, "a.b", #"{"a":{}}"#),
        (#"{"a":1, "b":2, "c":3}"#, "a", #"{"b":2, "c":3}"#),
        (#"{"a":1, "b":2, "c":3}"#, "b", #"{"a":1, "c":3}"#),
        (#"{"a":1, "b":2, "c":3}"#, "c", #"{"a":1, "b":2}"#),
        (#"{"a":1}"#, "b", #"{"a":1}"#),
        (#"{"a":1}"#, "a.b.c", #"{"a":1}"#),
        ("{\n  \"a\": 1,\n  \"b\": 2\n}", "b", "{\n  \"a\": 1\n}"),
    ])
    func aMemberIsTakenOut(_ text: String, _ path: String, _ expected: String) {
        #expect(set(text, path, nil) == expected)
    }

    /// Whatever is set and unset, in a file with everything in it: the result says that and is else the same.
    @Test func everySettingOfTheSampleCanBeSetAndTakenOut() throws {
        let sample = String(decoding: Configuration.sample, as: UTF8.self)
        let before = try Configuration.parse(Configuration.sample, source: "")
        for key in SettingTable.keys(providers: ["claudeCodeCli", "new"]) {
            let value = other(than: before.value(of: key.key), key.form)
            let changed = set(sample, key.key, value)
            let after = try Configuration.parse(Array(changed.utf8), source: "")
            #expect(after.value(of: key.key) == value, "\(key.key)")
            for (other, old) in before.values where other.key != key.key {
                #expect(after.value(of: other.key) == old, "\(key.key) changed \(other.key)")
            }
            let unset = try Configuration.parse(Array(set(changed, key.key, nil).utf8), source: "")
            #expect(unset.value(of: key.key) == key.defaultValue, "\(key.key)")
            let lines = Set(sample.split(separator: "\n"))
            let kept = changed.split(separator: "\n").count { lines.contains($0) }
            #expect(kept >= lines.count - 2, "\(key.key)")
        }
    }
}

/// Random texts, edited at random: as if it had been done to the value, and the rest byte for byte as it was.
@Suite struct RandomTextEditTests {
    private static let names = ["a", "b", "//", "a\"b", "{", "x,y", "ü", "\\"]

    private func space(_ random: inout SeededGenerator) -> String {
        ["", " ", "\n", "\n    ", "\t", "\r\n  "].randomElement(using: &random) ?? ""
    }

    private func text(_ depth: Int, _ random: inout SeededGenerator) -> String {
        let kind =
            depth == 0 ? 0 : depth > 4 ? Int.random(in: 3...6, using: &random) : Int.random(in: 0...6, using: &random)
        func padded(_ text: String) -> String { space(&random) + text + space(&random) }
        switch kind {
        case 0, 1:
            let names = Self.names.shuffled(using: &random).prefix(Int.random(in: 0...4, using: &random))
            let members = names.map { padded(JSON($0).description) + ":" + padded(text(depth + 1, &random)) }
            return "{" + members.joined(separator: ",") + space(&random) + "}"
        case 2:
            let elements = (0..<Int.random(in: 0...3, using: &random)).map { _ in padded(text(depth + 1, &random)) }
            return "[" + elements.joined(separator: ",") + "]"
        case 3: return JSON(Self.names.randomElement(using: &random) ?? "").description
        case 4: return "-1.5e3"
        case 5: return "true"
        default: return "null"
        }
    }

    private func set(_ path: ArraySlice<String>, _ value: JSON?, in object: JSONObject) -> JSONObject {
        guard let name = path.first else { return object }
        var object = object
        if path.count == 1 {
            object[name] = value
        } else if let inner = object[name]?.objectValue {
            object[name] = .object(set(path.dropFirst(), value, in: inner))
        } else if value != nil {
            object[name] = .object(set(path.dropFirst(), value, in: [:]))
        }
        return object
    }

    @Test func itIsAsIfDoneToTheValue() throws {
        let seed = UInt64.random(in: 0...UInt64.max)
        var random = SeededGenerator(seed: seed)
        for _ in 0..<3000 {
            let before = text(0, &random)
            let object = try #require(try JSON.parse(before).objectValue)
            let path = (0..<Int.random(in: 1...3, using: &random)).map { _ in
                Self.names.randomElement(using: &random) ?? ""
            }
            let value: JSON? = Bool.random(using: &random) ? ["new": [1, "]"]] : nil
            var edit = JSONTextEdit(Array(before.utf8))
            if let value { edit.set(path, value) } else { edit.remove(path) }
            let after = try? JSON.parse(edit.text).objectValue
            let expected = set(path[...], value, in: object)
            guard after == expected else {
                Issue.record("seed \(seed): \(before) \(path) \(String(decoding: edit.text, as: UTF8.self))")
                return
            }
            // What is taken out or put in is one stretch: all else stays as it was.
            if after == object { #expect(String(decoding: edit.text, as: UTF8.self) == before || value != nil) }
        }
    }
}

@Suite struct SettingsPatchTests {
    private func problems(_ patch: JSONObject) -> [SettingsPatch.Problem] {
        do throws(SettingsPatch.Refusal) {
            _ = try SettingsPatch(patch)
            return []
        } catch {
            return error.problems
        }
    }

    @Test func whatIsRightBecomesChanges() throws {
        let patch = try SettingsPatch([
            "limits": ["maxClients": 5, "maxConcurrent": nil], "providers": ["echo": ["model": "m"]],
        ])
        #expect(
            patch.changes == [
                .init(key: "limits.maxClients", value: 5), .init(key: "limits.maxConcurrent", value: nil),
                .init(key: "providers.echo.model", value: "m"),
            ])
    }

    @Test func everythingWrongIsNamed() {
        let found = problems([
            "limits": ["maxClients": 0, "maxClient": 1], "server": ["port": 1], "what": [:], "log": 1,
            "providers": ["echo": ["command": "/bin/sh"], "a b": ["model": "m"], "x": nil], "//": "x",
        ])
        #expect(
            found.map(\.key) == [
                "limits.maxClients", "limits.maxClient", "server.port", "what", "log", "providers.echo.command",
                "providers.a b.model", "providers.x", "//",
            ])
        #expect(found.filter(\.isPrivileged).map(\.key) == ["server.port", "providers.echo.command"])
        #expect(found.first?.reason == "must be 1 to 100000, not 0")
    }

    @Test func privilegedKeysAreForTheOwnerOfTheFile() throws {
        for key in SettingTable.keys(providers: ["echo"]) {
            let value = other(than: nil, key.form)
            let isRefused = (try? SettingsPatch(key.key, value)) == nil
            #expect(isRefused == key.isPrivileged, "\(key.key)")
            #expect(try SettingsPatch(key.key, value, allowsPrivileged: true).changes.count == 1)
        }
    }
}

@Suite struct ConfigurationChangeTests {
    let folder: TemporaryFolder
    var path: String { folder.path + "/config.json" }
    var file: ConfigurationFile { ConfigurationFile(path) }

    init() throws { folder = try TemporaryFolder("configuration") }

    private func write(_ text: String) throws {
        try Data(text.utf8).write(to: URL(fileURLWithPath: path))
        chmod(path, 0o600)
    }

    private var text: String { (try? String(contentsOfFile: path, encoding: .utf8)) ?? "" }

    @Test func severalAtOnceOrNone() throws {
        try write("{\n  \"//\": \"mine\",\n  \"log\": {\"level\": \"warn\"},\n  \"limits\": {\"maxClients\": 7}\n}\n")
        #expect(
            try file.change([
                .init(key: "limits.maxClients", value: nil), .init(key: "limits.maxConcurrent", value: 3),
                .init(key: "log.level", value: "error"),
            ]))
        #expect(
            text
                == "{\n  \"//\": \"mine\",\n  \"log\": {\"level\": \"error\"},\n  \"limits\": {\n    \"maxConcurrent\": 3\n  }\n}\n"
        )
        var information = stat()
        stat(path, &information)
        #expect(information.st_mode & 0o777 == 0o600)
        // What is so already is not written.
        #expect(try !file.change([.init(key: "log.level", value: "error")]))
    }

    @Test func aBrokenFileIsNotTouched() throws {
        try write("{\n  \"log\": {\"level\": \"loud\"}\n}")
        let before = text
        let error = #expect(throws: ConfigurationError.self) {
            try file.change([.init(key: "limits.maxClients", value: 3)])
        }
        #expect(error?.problems.first?.line == 2)
        #expect(text == before)
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path) == ["config.json"])
    }

    @Test func aMissingFileIsMadeWithTheDefaults() throws {
        try file.change([.init(key: "limits.maxClients", value: 3)])
        var expected = Configuration()
        expected.limits.maxClients = 3
        #expect(try Configuration.load(path: path, environment: [:]).configuration == expected)
    }

    @Test func aLinkStaysOne() throws {
        try write("{}")
        let link = folder.path + "/link.json"
        symlink(path, link)
        try ConfigurationFile(link).change([.init(key: "log.keep", value: 1)])
        #expect(text.contains("\"keep\": 1"))
        var information = stat()
        lstat(link, &information)
        #expect(information.st_mode & S_IFMT == S_IFLNK)
    }

    /// Two that change different keys again and again: nothing of either is lost.
    @Test func whatSomebodyElseSavesIsKept() async throws {
        try write("{}")
        let file = file
        await withTaskGroup(of: Void.self) { group in
            for (key, form) in [("log.keep", 1), ("backups.keep", 2)] {
                group.addTask {
                    for round in 0..<60 {
                        // Too much else may go on for it to succeed, but then it says so.
                        while (try? file.change([.init(key: key, value: JSON(round * 10 + form))])) == nil {}
                    }
                }
            }
        }
        // A replacement that was based on something old would have been refused.
        #expect(try !file.replace(Array("{}".utf8), with: Array("{\"log\":{}}".utf8)))
        let configuration = try Configuration.load(path: path, environment: [:]).configuration
        #expect(configuration.log.keep == 591)
        #expect(configuration.backups.keep == 592)
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path) == ["config.json"])
    }

    // MARK: Older versions

    @Test func anOlderFileIsBroughtUpToDate() throws {
        let old = MigrationChain.trialFile
        try write(old)
        let loaded = try Configuration.load(
            path: path, environment: [:], backups: folder.path + "/backups", chain: .trial)
        #expect(loaded.configuration.limits.maxClients == 9)
        #expect(loaded.configuration.lifecycle.idleShutdown == 120)
        #expect(loaded.configuration.providers["a"]?.model == "m")
        #expect(loaded.configuration.providers["b"]?.model == "new")
        #expect(text.hasPrefix("{\n  \"//\": \"mine\",\n  \"schemaVersion\": 3,\n"))
        #expect(try String(contentsOfFile: #require(loaded.backup), encoding: .utf8) == old)
        // Once.
        let rewritten = text
        let again = try Configuration.load(
            path: path, environment: [:], backups: folder.path + "/backups", chain: .trial)
        #expect(again.backup == nil)
        #expect(again.configuration == loaded.configuration)
        #expect(text == rewritten)
    }

    @Test func stepsBeginAtTheFilesVersion() throws {
        let configuration = try Configuration.parse(
            Array(#"{"schemaVersion":2,"lifecycle":{"idleShutdown":1}}"#.utf8), source: "c", chain: .trial)
        #expect(configuration.lifecycle.idleShutdown == 60)
        #expect(throws: ConfigurationError.self) {
            try Configuration.parse(
                Array(#"{"schemaVersion":2,"limits":{"clients":1}}"#.utf8), source: "c", chain: .trial)
        }
        let error = #expect(throws: ConfigurationError.self) {
            try Configuration.parse(Array("{\"schemaVersion\":4}".utf8), source: "c", chain: .trial)
        }
        #expect(error?.description.contains("reads 3 at most") == true)
    }

    @Test func anOlderFileWithAMistakeIsLeftAlone() throws {
        try write("{\n\"schemaVersion\":1,\n\"limits\":{\"clients\":\"x\"}}")
        let before = text
        let error = #expect(throws: ConfigurationError.self) {
            try Configuration.load(path: path, environment: [:], backups: folder.path + "/backups", chain: .trial)
        }
        #expect(error?.problems.first?.key == "limits.maxClients")
        #expect(text == before)
        #expect(!FileManager.default.fileExists(atPath: folder.path + "/backups"))
    }

    @Test func anOlderFileThatCannotBeKeptIsNotRewritten() throws {
        try write("{\"schemaVersion\":1}")
        try Data().write(to: URL(fileURLWithPath: folder.path + "/backups"))
        #expect(throws: ConfigurationError.self) {
            try Configuration.load(path: path, environment: [:], backups: folder.path + "/backups", chain: .trial)
        }
        #expect(text == "{\"schemaVersion\":1}")
    }
}
