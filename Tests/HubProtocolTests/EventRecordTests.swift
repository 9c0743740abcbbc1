import Base
import HubProtocol
import JSON
import Testing

@Suite struct EventRecordTests {
    private func parse(_ text: String) throws -> EventRecord { try EventRecord(JSON.parse(text)) }

    private func text(_ record: EventRecord) -> String {
        var bytes: [UInt8] = []
        record.serialize(into: &bytes)
        return String(decoding: bytes, as: UTF8.self)
    }

    @Test func theLineOfTheSpecification() throws {
        let line =
            #"{"seq":12,"ts":"2026-11-21T10:00:00.123Z","id":"01J","kind":"tool_call","turnId":"t3","itemId":"i7","source":"agent","providerId":"claudeCodeCli","nativeId":"toolu_1","data":{"name":"Bash","title":"echo hi","args":{"command":"echo hi"},"status":"running"}}"#
        let record = try parse(line)
        #expect(record.seq == 12)
        #expect(record.timestamp.description == "2026-11-21T10:00:00.123Z")
        #expect(record.kind == .toolCall)
        #expect(record.turnId == "t3")
        #expect(record.itemId == "i7")
        #expect(record.draft.source == .agent)
        #expect(record.draft.nativeId == "toolu_1")
        #expect(!record.draft.isSynthetic)
        #expect(record.data["args"]?["command"] == "echo hi")
        #expect(text(record) == line)
    }

    @Test(arguments: EventKind.allCases)
    func everyKindRoundTrips(_ kind: EventKind) throws {
        for (index, synthetic) in [true, false].enumerated() {
            let record = EventRecord(
                seq: index + 1, timestamp: Timestamp(milliseconds: 5), id: "x",
                draft: EventDraft(
                    kind, source: .core, turnId: synthetic ? "t\"\n1" : nil, itemId: synthetic ? nil : "i\\",
                    providerId: synthetic ? "p" : nil, nativeId: "n\u{2028}", isSynthetic: synthetic,
                    data: ["content": "line\nbreak \"quoted\" \u{2028} 😀", "n": 1.5]))
            #expect(try parse(text(record)) == record)
            #expect(!text(record).utf8.contains(0x0a))
            #expect(text(record).hasPrefix("{\"seq\":\(index + 1),\"ts\":"))
        }
    }

    @Test func anIdentifierNeverBreaksTheLine() throws {
        let record = EventRecord(
            seq: 1, timestamp: Timestamp(milliseconds: 0), id: "a\"b\n", draft: EventDraft(.message, source: .user))
        #expect(try parse(text(record)) == record)
    }

    @Test func unknownKindsAndMembersOfANewerDaemon() throws {
        let record = try parse(
            #"{"seq":1,"ts":"2026-11-21T10:00:00Z","id":"x","kind":"hologram","source":"agent","future":[1],"data":{"a":1}}"#
        )
        #expect(record.kind == .custom)
        #expect(record.data == ["type": "hologram", "data": ["a": 1]])
    }

    @Test(arguments: [
        (#"[]"#, EventRecord.DecodingError.notAnObject), (#"{}"#, .missing("seq")), (#"{"seq":0}"#, .invalid("seq")),
        (#"{"seq":-1}"#, .invalid("seq")), (#"{"seq":1.5}"#, .invalid("seq")), (#"{"seq":"1"}"#, .invalid("seq")),
        (#"{"seq":1}"#, .missing("ts")), (#"{"seq":1,"ts":5}"#, .invalid("ts")),
        (#"{"seq":1,"ts":"yesterday"}"#, .invalid("ts")), (#"{"seq":1,"ts":"2026-11-21T10:00:00Z"}"#, .missing("id")),
        (#"{"seq":1,"ts":"2026-11-21T10:00:00Z","id":"x"}"#, .missing("kind")),
        (#"{"seq":1,"ts":"2026-11-21T10:00:00Z","id":"x","kind":"message","source":"martian"}"#, .invalid("source")),
        (#"{"seq":1,"ts":"2026-11-21T10:00:00Z","id":"x","kind":"message","data":[]}"#, .invalid("data")),
        (#"{"seq":1,"ts":"2026-11-21T10:00:00Z","id":"x","kind":"message","turnId":1}"#, .invalid("turnId")),
    ])
    func saysWhatIsWrong(_ text: String, _ expected: EventRecord.DecodingError) {
        let error = #expect(throws: EventRecord.DecodingError.self) { try parse(text) }
        #expect(error == expected)
    }

    @Test func whatMayBeLeftOut() throws {
        let record = try parse(#"{"seq":1,"ts":"2026-11-21T10:00:00Z","id":"x","kind":"message","turnId":null}"#)
        #expect(record.draft == EventDraft(.message, source: .core))
    }
}

@Suite struct LogHeaderTests {
    private let header = LogHeader(
        sessionId: "s1", providerId: "echo", createdAt: Timestamp(milliseconds: 1_795_255_200_123),
        workspace: "/home/user/a \"b\"")

    @Test func roundTrips() throws {
        var bytes: [UInt8] = []
        header.serialize(into: &bytes)
        #expect(LogHeader(try JSON.parse(bytes)) == header)
        #expect(String(decoding: bytes, as: UTF8.self).hasPrefix(#"{"kind":"header","schema":1,"sessionId":"s1","#))
    }

    @Test(arguments: [
        #"{}"#, #"{"kind":"message","schema":1}"#,
        #"{"kind":"header","schema":2,"sessionId":"s1","providerId":"e","createdAt":"2026-11-21T10:00:00Z"}"#,
        #"{"kind":"header","schema":1,"sessionId":1,"providerId":"e","createdAt":"2026-11-21T10:00:00Z"}"#,
        #"{"kind":"header","schema":1,"sessionId":"s1","providerId":"e","createdAt":"today"}"#, "[]",
    ])
    func refusesOthers(_ text: String) throws {
        #expect(LogHeader(try JSON.parse(text)) == nil)
    }
}

@Suite struct FailureTests {
    @Test func json() {
        let failure = Failure(
            code: "rate_limited", message: "Wait", recoverable: true, retryAfter: 30, actions: [.retryLater],
            details: ["window": "5h"])
        #expect(
            JSON.object(failure.json).description
                == #"{"code":"rate_limited","message":"Wait","recoverable":true,"retryAfter":30,"actions":[{"id":"retry_later","label":"Try again later"}],"details":{"window":"5h"}}"#
        )
        #expect(Failure(code: "x", message: "y").json["retryAfter"] == nil)
    }

    @Test(arguments: [
        ("claude", "claudeCodeCli"), ("codex", "codexCli"), ("gemini", "geminiCli"), ("echo", "echo"),
        ("other", "other"),
    ])
    func providerAliases(_ name: String, _ id: String) {
        #expect(ProviderID.resolve(name) == id)
    }
}
