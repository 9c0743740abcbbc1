import Base
import HTTP1
import HubProtocol
import JSON
import Providers
import Sessions
import Testing

@testable import API

@Suite struct FrameTextTests {
    private func record(_ kind: EventKind, _ data: JSONObject) -> EventRecord {
        EventRecord(
            seq: 12, timestamp: Timestamp(milliseconds: 1_795_000_000_123), id: "01JABC",
            draft: EventDraft(
                kind, source: .agent, turnId: "t1", itemId: "i1", providerId: "echo", nativeId: "n", data: data))
    }

    private func line(_ record: EventRecord) -> [UInt8] {
        var bytes: [UInt8] = []
        record.serialize(into: &bytes)
        return bytes
    }

    /// Live frames are made from the record, replayed ones from its line: a client must not see a difference.
    @Test(arguments: EventKind.allCases)
    func liveAndReplayedFramesAreTheSameBytes(kind: EventKind) throws {
        let record = record(kind, ["requestId": "r1", "content": "a \"quoted\"\ntext", "role": "assistant"])
        let line = line(record)
        let live = FrameText(record, line: line[...], sessionId: "s1")
        let replayed = try #require(FrameText(line: line[...], sessionId: "s1"))
        #expect(live.bytes == replayed.bytes)
        let frame = try JSON.parse(live.bytes)
        #expect(frame["type"]?.stringValue == FrameText.type(of: kind))
        #expect(frame["seq"] == 12 && frame["sessionId"] == "s1")
        #expect(frame["timestamp"]?.stringValue == record.timestamp.description)
    }

    /// `core:state` carries messages as objects, frames are written directly: a client must not see a difference.
    @Test(
        arguments: [
            ["role": "user", "content": "a \"b\""],
            [:],
            [
                "content": ["x"], "partial": true, "by": ["id": "c1"], "clientMessageId": "m", "parentItemId": "p",
                "else": 1,
            ],
        ] as [JSONObject])
    func messagesAreTheSameInFramesAndInTheState(data: JSONObject) {
        let record = record(.message, data)
        var written: [UInt8] = []
        record.serializeMessagePayload(sessionId: "s\n1", into: &written)
        #expect(written == JSON.object(record.messagePayload(sessionId: "s\n1")).serialize())
    }

    @Test func aLineInAnotherOrderIsReadAllTheSame() throws {
        let record = record(.toolCall, ["name": "Bash"])
        var object = try #require(record.json.objectValue)
        let seq = object["seq"]
        object["seq"] = nil
        object["seq"] = seq
        let text = try #require(FrameText(line: JSON.object(object).serialize()[...], sessionId: "s"))
        #expect(try JSON.parse(text.bytes)["seq"] == 12)
    }

    @Test(arguments: ["", "{", "null", #"{"seq":0}"#, #"{"seq":1,"ts":"x"}"#, "\u{0}\u{0}"])
    func aLineThatIsNoRecordMakesNoFrame(line: String) {
        #expect(FrameText(line: Array(line.utf8)[...], sessionId: "s") == nil)
    }

    @Test func aChunkSaysWhereItStands() throws {
        let chunk = StreamChunk(
            sessionId: "s", turnId: nil, itemId: "i", kind: .thinking, text: "\u{2028}\"x", offset: 7)
        let frame = try JSON.parse(FrameText(chunk, timestamp: .now).bytes)
        #expect(frame["type"] == "stream:chunk" && frame["seq"] == nil)
        #expect(frame["payload"]?["content"] == "\u{2028}\"x" && frame["payload"]?["offset"] == 7)
        #expect(frame["payload"]?["turnId"] == .null)
    }
}

@Suite struct FieldsTests {
    private let fields = Fields(
        ["a": "text", "n": 5, "b": true, "l": ["x"], "o": ["k": 1], "z": nil], outer: ["out": "side"])

    @Test func membersAreTakenByType() throws {
        #expect(try fields.string("a") == "text")
        #expect(try fields.int("n", in: 0...9) == 5)
        #expect(try fields.bool("b") == true)
        #expect(try fields.strings("l") == ["x"])
        #expect(try fields.string("out") == "side")
        #expect(try fields.string("z") == nil)
        #expect(try fields.string("missing") == nil)
    }

    @Test func whatIsWrongNamesItsField() {
        func code(_ body: () throws -> Void) -> (String, JSON?)? {
            do { try body() } catch let failure as Failure { return (failure.code, failure.details["field"]) } catch {}
            return nil
        }
        #expect(code { _ = try fields.string("n") } ?? ("", nil) == ("invalid_request", "n"))
        #expect(code { _ = try fields.int("n", in: 6...9) } ?? ("", nil) == ("invalid_request", "n"))
        #expect(code { _ = try fields.requiredString("missing") } ?? ("", nil) == ("missing_field", "missing"))
        #expect(code { _ = try Fields(body: Array("[1]".utf8)) }?.0 == "invalid_request")
        #expect(code { _ = try Fields(body: Array("{".utf8)) }?.0 == "invalid_json")
    }
}

@Suite struct RouterTests {
    private func router() -> Router {
        var router = Router()
        router.add(.get, "sessions/*") { _ throws(Failure) in .empty(200) }
        router.add(.delete, "sessions/*") { _ throws(Failure) in .empty(204) }
        router.add(.get, "sessions/*/events") { _ throws(Failure) in .empty(200) }
        return router
    }

    @Test func pathsFindTheirRoute() {
        guard case .found(_, let parameters) = router().match(.get, ["sessions", "x", "events"]) else {
            Issue.record("not found")
            return
        }
        #expect(parameters == ["x"])
        if case .found = router().match(.head, ["sessions", "x"]) {} else { Issue.record("HEAD is GET") }
        if case .notFound = router().match(.get, ["sessions"]) {} else { Issue.record("no such path") }
    }

    @Test func aWrongMethodIsToldWhichAreRight() {
        guard case .otherMethods(let allowed) = router().match(.post, ["sessions", "x"]) else {
            Issue.record("should know the path")
            return
        }
        #expect(allowed == "GET, HEAD, DELETE, OPTIONS")
    }
}

@Suite struct MetricsTextTests {
    @Test func labelsAreEscaped() {
        var text = MetricsText()
        text.gauge("a", "What it is.", 3)
        text.sample("b", [("k", "a\"b\\c\nd")], 0.5)
        #expect(
            String(decoding: text.bytes, as: UTF8.self)
                == "# HELP a What it is.\n# TYPE a gauge\na 3\nb{k=\"a\\\"b\\\\c\\nd\"} 0.5\n")
    }
}
