import Configuration
import Foundation
import JSON
import Testing

private func parse(_ text: String) throws -> Configuration {
    try Configuration.parse(Array(text.utf8), source: "config.json")
}

private func problems(_ text: String) -> [String] {
    do {
        _ = try parse(text)
        return []
    } catch let error as ConfigurationError {
        return error.problems.map(\.description)
    } catch {
        return ["\(error)"]
    }
}

/// Files of the repository that are made from the table. Run the tests with `UPDATE_GENERATED=1` to write them.
private func compare(_ name: String, _ expected: [UInt8]) throws {
    let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent()
    let file = root.appendingPathComponent(name)
    if ProcessInfo.processInfo.environment["UPDATE_GENERATED"] == "1" {
        try Data(expected).write(to: file)
    }
    let found = try String(decoding: Data(contentsOf: file), as: UTF8.self)
    #expect(found == String(decoding: expected, as: UTF8.self), "run swift test with UPDATE_GENERATED=1")
}

@Suite struct ConfigurationParsingTests {
    @Test func emptyIsAllDefaults() throws {
        #expect(try parse("{}") == Configuration())
        #expect(try parse("{\"schemaVersion\":1}") == Configuration())
    }

    @Test func defaultsAreWithinTheirOwnLimits() {
        for setting in SettingTable.settings {
            let value = setting.get(Configuration())
            #expect(value != nil, "\(setting.key)")
            if let value { #expect(setting.form.problem(with: value) == nil, "\(setting.key)") }
        }
        #expect(Set(SettingTable.settings.map(\.key)).count == SettingTable.settings.count)
    }

    /// Each key writes its own member and no other.
    @Test func everyKeyRoundTrips() throws {
        for setting in SettingTable.settings {
            let value: JSON
            switch setting.form {
            case .integer(let range):
                value = JSON(
                    setting.get(Configuration())?.intValue == range.lowerBound ? range.upperBound : range.lowerBound)
            case .number(let range):
                value = JSON(
                    setting.get(Configuration())?.doubleValue == range.lowerBound ? range.upperBound : range.lowerBound)
            case .boolean: value = JSON(setting.get(Configuration()) != true)
            case .choice(let choices): value = JSON(choices.last { JSON($0) != setting.get(Configuration()) } ?? "")
            case .text(.folder): value = "/tmp"
            case .text: value = "localhost"
            case .texts(.origin): value = ["https://example.com"]
            case .texts(.path): value = ["/etc/example.pub"]
            case .texts: value = ["example.com"]
            case .textMap: value = ["A": "b"]
            }
            let parts = setting.key.split(separator: ".").map(String.init)
            let text: JSON = .object([parts[0]: .object([parts[1]: value])])
            let configuration = try parse(text.description)
            #expect(setting.get(configuration) == value, "\(setting.key)")
            let others = SettingTable.settings.filter {
                $0.key != setting.key && $0.get(configuration) != $0.get(Configuration())
            }
            #expect(others.map(\.key).isEmpty, "\(setting.key) changed others")
            #expect(try parse(JSON.object(configuration.json).description) == configuration)
        }
    }

    @Test func providers() throws {
        let configuration = try parse(
            #"{"providers":{"codexCli":{"enabled":false},"x-1":{"command":"/opt/x","arguments":["a","b"],"environment":{"K":"v"},"model":"m","mode":"plan"}}}"#
        )
        #expect(configuration.providers["codexCli"]?.isEnabled == false)
        #expect(configuration.providers["codexCli"]?.command == nil)
        let other = configuration.providers["x-1"]
        #expect(other?.isEnabled == nil)
        #expect(other?.command == "/opt/x")
        #expect(other?.arguments == ["a", "b"])
        #expect(other?.environment == ["K": "v"])
        #expect(other?.model == "m")
        #expect(other?.mode == "plan")
    }

    @Test func comments() throws {
        let configuration = try parse(
            #"{"//":"a","//server":1,"server":{"//port":null,"port":1,"//":[]},"providers":{"//":"x","a":{"//b":"c"}}}"#
        )
        #expect(configuration.server.port == 1)
        #expect(Array(configuration.providers.keys) == ["a"])
    }

    @Test(arguments: [
        ("", "config.json:1: this is not JSON: the text ends too early at byte 0"),
        (
            "{\n  \"server\": {\n    \"port\": 80,\n  }\n}",
            "config.json:4: this is not JSON: unexpected byte 0x7d at byte 34"
        ),
        ("[]", "config.json:1: must be a JSON object"),
        ("{\n\"sever\": {}}", "config.json:2: sever is unknown; did you mean server?"),
        ("{\"server\":{\n\n\"prot\":1}}", "config.json:3: server.prot is unknown; did you mean port?"),
        (
            "{\"server\":{\"zzzzzzzzz\":1}}",
            "config.json:1: server.zzzzzzzzz is unknown; config.sample.json has all keys"
        ),
        ("{\"server\":\n5}", "config.json:1: server must be an object, not a number"),
        ("{\"server\":{\n\"port\":\"80\"}}", "config.json:2: server.port must be a whole number, not a string"),
        ("{\"server\":{\"port\":65536}}", "config.json:1: server.port must be 0 to 65535, not 65536"),
        (
            "{\"server\":{\"port\":80.5}}",
            "config.json:1: server.port must be a whole number, not a number with a fraction or out of range"
        ),
        ("{\"server\":{\"port\":-1}}", "config.json:1: server.port must be 0 to 65535, not -1"),
        ("{\"server\":{\"port\":null}}", "config.json:1: server.port must be a whole number, not null"),
        (
            "{\"server\":{\"host\":\"a b\"}}",
            "config.json:1: server.host must be a host name or an address, without a port"
        ),
        ("{\"stream\":{\"compress\":1}}", "config.json:1: stream.compress must be true or false, not a number"),
        (
            "{\"log\":{\"level\":\"loud\"}}",
            "config.json:1: log.level must be one of \"debug\", \"info\", \"warn\", \"error\", not \"loud\""
        ),
        (
            "{\"lifecycle\":{\"idleShutdown\":-0.5}}",
            "config.json:1: lifecycle.idleShutdown must be 0 to 31536000, not -0.5"
        ),
        (
            "{\"sessions\":{\"defaultWorkspace\":\"x\"}}",
            "config.json:1: sessions.defaultWorkspace must be an absolute path, or empty"
        ),
        (
            "{\"security\":{\"allowedOrigins\":\"x\"}}",
            "config.json:1: security.allowedOrigins must be an array of strings, not a string"
        ),
        (
            "{\"security\":{\"allowedOrigins\":[\"https://a\",\"*\"]}}",
            "config.json:1: security.allowedOrigins element 1 must be an origin such as https://example.com:8443, without a path"
        ),
        (
            "{\"security\":{\"allowedOrigins\":[\"https://a/b\"]}}",
            "config.json:1: security.allowedOrigins element 0 must be an origin such as https://example.com:8443, without a path"
        ),
        (
            "{\"security\":{\"allowedHosts\":[1]}}",
            "config.json:1: security.allowedHosts must be an array of strings; element 0 is a number"
        ),
        (
            "{\"providers\":{\"a b\":{}}}",
            "config.json:1: providers.a b is no identifier: 1 to 64 letters of A-Z a-z 0-9 _ -"
        ),
        (
            "{\"providers\":{\"a\":{\n\"comand\":\"x\"}}}",
            "config.json:2: providers.a.comand is unknown; did you mean command?"
        ),
        ("{\"providers\":{\"a\":{\"command\":\"\"}}}", "config.json:1: providers.a.command must not be empty"),
        (
            "{\"providers\":{\"a\":{\"environment\":{\"K\":1}}}}",
            "config.json:1: providers.a.environment must be an object of strings; K is a number"
        ),
        (
            "{\"providers\":{\"a\":{\"environment\":{\"K=\":\"\"}}}}",
            "config.json:1: providers.a.environment has a member whose name is no name of a variable"
        ),
        ("{\"server\":{\"port\":1,\n\"port\":2}}", "config.json:2: server.port stands here a second time"),
        (
            "{\n\n\"schemaVersion\":2,\"futureKey\":1}",
            "config.json:3: schemaVersion is 2, but this version reads 1 at most: update the daemon, or restore the file's backup"
        ),
        ("{\"schemaVersion\":\"1\"}", "config.json:1: schemaVersion must be a whole number from 1, not \"1\""),
    ])
    func mistakesAreNamedWithTheirPlace(_ text: String, _ problem: String) {
        #expect(problems(text) == [problem])
    }

    @Test func allProblemsAreReportedInOrder() {
        let found = problems("{\n\"server\":{\"port\":\"x\"},\n\"what\":1,\n\"log\":{\"keep\":-1}\n}")
        #expect(found.count == 3)
        #expect(found.map { $0.prefix(14) } == ["config.json:2:", "config.json:3:", "config.json:4:"])
    }

    @Test func linesAreFoundAmongEscapesAndNesting() {
        let text =
            "{\"//\":\"\\\"}{,\\\\\",\"providers\":{\n\"a\":{\"arguments\":[\"]\",\n\"}\"],\n\"\\u006dodel\":1}}}"
        #expect(problems(text) == ["config.json:4: providers.a.model must be a string, not a number"])
    }

    @Test func secretsAreNotRepeated() {
        let found = problems(#"{"providers":{"a":{"environment":{"KEY":["sk-secret"]}}}}"#)
        #expect(found.count == 1)
        #expect(!found[0].contains("sk-secret"))
    }
}

@Suite struct ConfigurationOverrideTests {
    @Test func flagBeforeEnvironmentBeforeFile() throws {
        var configuration = try parse(#"{"server":{"port":1,"host":"localhost"},"log":{"level":"error"}}"#)
        try configuration.apply(
            environment: ["CORE_PORT": "2", "CORE_LOG_LEVEL": "DEBUG", "CORE_HOST": "", "OTHER": "x"],
            flags: ["server.port": "3"])
        #expect(configuration.server.port == 3)
        #expect(configuration.server.host == "localhost")
        #expect(configuration.log.level == .debug)
        try configuration.apply(environment: ["CORE_PORT": "2", "CORE_HOST": "127.0.0.2"])
        #expect(configuration.server.port == 2)
        #expect(configuration.server.host == "127.0.0.2")
    }

    @Test(arguments: [("1500", 1.5), ("0", 0), ("60000", 60)])
    func theGraceVariableIsTheIdleShutdownInMilliseconds(_ text: String, _ seconds: Double) throws {
        var configuration = Configuration()
        try configuration.apply(environment: ["CORE_SHUTDOWN_GRACE_MS": text])
        #expect(configuration.lifecycle.idleShutdown == seconds)
        #expect(configuration.lifecycle.graceMs == Configuration().lifecycle.graceMs)
    }

    @Test(arguments: [
        ("CORE_PORT", "http", "environment CORE_PORT: \"http\" must be a whole number, not a string"),
        ("CORE_PORT", "99999", "environment CORE_PORT: \"99999\" must be 0 to 65535, not 99999"),
        ("CORE_PORT", " 80", "environment CORE_PORT: \" 80\" must be a whole number, not a string"),
        ("CORE_HOST", "a:b c", "environment CORE_HOST: \"a:b c\" must be a host name or an address, without a port"),
        ("CORE_SHUTDOWN_GRACE_MS", "nan", "environment CORE_SHUTDOWN_GRACE_MS: \"nan\" must be a number, not a string"),
    ])
    func mistakesAreNamed(_ name: String, _ text: String, _ problem: String) {
        var configuration = Configuration()
        let error = #expect(throws: ConfigurationError.self) { try configuration.apply(environment: [name: text]) }
        #expect(error?.description == problem)
    }

    @Test func liveChangesAreAdoptedAndOthersNamed() throws {
        var running = Configuration()
        let newer = try parse(
            #"{"server":{"port":1},"budget":{"perDayUsd":5},"providers":{"a":{"model":"m"}}}"#)
        let changes = running.adoptLive(from: newer)
        #expect(changes == .init(adopted: ["budget.perDayUsd", "providers.a.model"], waiting: ["server.port"]))
        #expect(running.server.port == 8080)
        #expect(running.budget.perDayUsd == 5)
        #expect(running.providers["a"]?.model == "m")
        #expect(running.adoptLive(from: newer) == .init(waiting: ["server.port"]))
    }

    @Test func clientsSeeNothingPrivileged() throws {
        let configuration = try parse(
            #"{"providers":{"a":{"command":"/secret/path","environment":{"K":"hidden"},"arguments":["--key"],"model":"m"}},"security":{"allowedOrigins":["https://origin.example"]}}"#
        )
        let text = JSON.object(configuration.clientSettings).description
        for secret in ["secret", "hidden", "--key", "origin.example", "127.0.0.1", "8080"] {
            #expect(!text.contains(secret))
        }
        #expect(configuration.clientSettings["limits"]?["maxConcurrent"] == 10)
        #expect(configuration.clientSettings["providers"]?["a"]?["model"] == "m")
    }
}

@Suite struct ConfigurationFileTests {
    let folder = FileManager.default.temporaryDirectory.appendingPathComponent("configuration-\(UUID().uuidString)")
    var path: String { folder.path + "/config.json" }

    init() throws {
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    }

    private func write(_ text: String, mode: Int = 0o600) throws {
        try Data(text.utf8).write(to: URL(fileURLWithPath: path))
        try FileManager.default.setAttributes([.posixPermissions: mode], ofItemAtPath: path)
    }

    @Test func theFirstStartWritesTheDefaults() throws {
        defer { try? FileManager.default.removeItem(at: folder) }
        #expect(try Configuration.load(path: path, environment: [:]).configuration == Configuration())
        let attributes = try FileManager.default.attributesOfItem(atPath: path)
        #expect(attributes[.posixPermissions] as? Int == 0o600)
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path) == ["config.json"])
        let text = try Data(contentsOf: URL(fileURLWithPath: path))
        for setting in SettingTable.settings {
            let name = setting.key.split(separator: ".").last ?? ""
            #expect(String(decoding: text, as: UTF8.self).contains("\"\(name)\""))
        }
        #expect(try Configuration.load(path: path, environment: [:]).configuration == Configuration())
        #expect(try Data(contentsOf: URL(fileURLWithPath: path)) == text)
    }

    @Test func aNamedFileMustBeThere() throws {
        defer { try? FileManager.default.removeItem(at: folder) }
        let error = #expect(throws: ConfigurationError.self) {
            try Configuration.load(path: path, environment: [:], createsMissing: false)
        }
        #expect(error?.description == "\(path): is not there")
        #expect(!FileManager.default.fileExists(atPath: path))
        let nowhere = #expect(throws: ConfigurationError.self) {
            try Configuration.load(path: folder.path + "/no/config.json", environment: [:])
        }
        #expect(nowhere?.description.contains("No such file") == true)
    }

    @Test func aFileThatOthersCanWriteIsRefused() throws {
        defer { try? FileManager.default.removeItem(at: folder) }
        try write("{}", mode: 0o666)
        let error = #expect(throws: ConfigurationError.self) { try Configuration.load(path: path, environment: [:]) }
        #expect(error?.description.contains("mode to 600") == true)
        try write("{}", mode: 0o644)
        _ = try Configuration.load(path: path, environment: [:])
    }

    @Test func whatIsNoFileIsRefused() throws {
        defer { try? FileManager.default.removeItem(at: folder) }
        #expect(throws: ConfigurationError.self) { try Configuration.load(path: folder.path, environment: [:]) }
        try write("{\"//\":\"" + String(repeating: "x", count: 1 << 20) + "\"}")
        let error = #expect(throws: ConfigurationError.self) { try Configuration.load(path: path, environment: [:]) }
        #expect(error?.description.contains("larger than") == true)
    }

    @Test func aBrokenFileIsLeftAlone() throws {
        defer { try? FileManager.default.removeItem(at: folder) }
        try write("{\n\"server\":{\"port\":}}")
        let error = #expect(throws: ConfigurationError.self) { try Configuration.load(path: path, environment: [:]) }
        #expect(error?.problems.first?.line == 2)
        #expect(error?.problems.first?.source == path)
        #expect(try Data(contentsOf: URL(fileURLWithPath: path)).count == 21)
    }

    @Test func theSampleIsOfTheTable() throws {
        try compare("config.sample.json", Configuration.sample)
        var configuration = try Configuration.parse(Configuration.sample, source: "config.sample.json")
        #expect(configuration.providers.keys.sorted() == ["claudeCodeCli"])
        configuration.providers = [:]
        #expect(configuration == Configuration())
        let text = String(decoding: Configuration.sample, as: UTF8.self)
        let keys = SettingTable.settings.map { $0.key.split(separator: ".").last ?? "" }
        for key in keys.map(String.init) + SettingTable.providerSettings.map(\.key) {
            #expect(text.contains("\"\(key)\":"), "\(key)")
            #expect(text.contains("\"//\(key)\":"), "\(key)")
        }
    }

    @Test func theSchemaIsOfTheTable() throws {
        try compare("assets/schema/config.schema.json", Configuration.schema)
        let sections = try JSON.parse(Configuration.schema)["properties"]
        for key in SettingTable.keys(providers: ["x"]) {
            let isProvider = key.path[0] == "providers"
            let section =
                isProvider
                ? sections?["providers"]?["patternProperties"]?["^[A-Za-z0-9_-]{1,64}$"] : sections?[key.path[0]]
            let entry = section?["properties"]?[key.path.last ?? ""]
            #expect(entry?["description"]?.stringValue == key.summary, "\(key.key)")
            #expect(entry?["type"] != nil)
        }
        #expect(try parse("{\"$schema\":\"./config.schema.json\"}") == Configuration())
        #expect(problems("{\"$schema\":1}") == ["config.json:1: $schema must be a string, not a number"])
    }

    @Test func theDocumentationIsOfTheTable() throws {
        try compare("doc/configuration.md", Array(Configuration.documentation.utf8))
    }
}
