import Base
import EventLog
import EventLoop
import Foundation
import HubProtocol
import JSON
import TestSupport

@testable import Search

/// An index over logs that the test writes, on a loop that it turns by hand.
final class SearchFixture {
    let folder: TemporaryFolder
    let loop: EventLoop
    private(set) var index: SearchIndex
    private(set) var notices: [String] = []
    /// Bytes of each log.
    private(set) var sizes: [String: Int] = [:]
    private var lastSeq: [String: Int] = [:]
    private var settings: SearchSettings

    var path: String { folder.path + "/search.sqlite" }

    init(_ settings: SearchSettings = SearchSettings()) throws {
        folder = try TemporaryFolder("search")
        loop = try EventLoop()
        self.settings = settings
        mkdir(folder.path + "/sessions", 0o700)
        index = SearchIndex(path: "", logs: "", loop: loop)
        makeIndex()
    }

    private func makeIndex() {
        index = SearchIndex(path: path, logs: folder.path + "/sessions", loop: loop, settings: settings)
        index.committedSize = { [unowned self] in sizes[$0] }
        index.sessionIds = { [unowned self] in sizes.keys.sorted() }
        index.onNotice = { [unowned self] _, message, details in
            notices.append(message + (details["reason"]?.stringValue.map { ": " + $0 } ?? ""))
        }
    }

    deinit { index.stop() }

    // MARK: Logs

    func log(_ id: String) -> String { folder.path + "/sessions/" + id + ".jsonl" }

    /// Adds events to a log, which is made when it is missing.
    func append(_ drafts: [EventDraft], to id: String, at time: Timestamp = .now) throws {
        var bytes: [UInt8] = []
        if sizes[id] == nil {
            LogHeader(sessionId: id, providerId: "echo", createdAt: time, workspace: "/tmp").serialize(into: &bytes)
            bytes.append(0x0a)
        }
        for draft in drafts {
            lastSeq[id, default: 0] += 1
            EventRecord(seq: lastSeq[id]!, timestamp: time, id: "01J", draft: draft).serialize(into: &bytes)
            bytes.append(0x0a)
        }
        try appendFile(log(id), bytes)
        sizes[id, default: 0] += bytes.count
        index.logGrew(id)
    }

    func say(_ text: String, in id: String, role: String = "user", at time: Timestamp = .now) throws {
        try append([SearchFixture.message(text, role: role)], to: id, at: time)
    }

    static func message(_ text: String, role: String = "user") -> EventDraft {
        EventDraft(
            .message, source: role == "user" ? .user : .agent, data: ["role": JSON(role), "content": JSON(text)])
    }

    func delete(_ id: String) {
        unlink(log(id))
        sizes[id] = nil
        lastSeq[id] = nil
        index.logRemoved(id)
    }

    /// Puts other bytes in the place of a log.
    func replace(_ id: String, _ drafts: [EventDraft], at time: Timestamp = .now) throws {
        unlink(log(id))
        sizes[id] = nil
        lastSeq[id] = nil
        try append(drafts, to: id, at: time)
    }

    // MARK: The index

    func restart() {
        index.stop()
        makeIndex()
    }

    /// Turns the loop until something is so, for a bounded time.
    func wait(_ what: String, _ condition: () -> Bool) throws {
        let end = ContinuousClock.now + .seconds(60)
        while !condition() {
            guard ContinuousClock.now < end else { throw TestFailure("timed out: \(what); notices: \(notices)") }
            loop.turn(waitingAtMost: .milliseconds(5))
        }
    }

    /// Until all that is in the logs is in the index, and nothing else.
    func settle() throws {
        index.start(after: .zero)
        try wait("the index is up to date") { index.isIdle }
    }

    func answer(_ request: SearchRequest) throws -> Result<SearchAnswer, Failure> {
        var result: Result<SearchAnswer, Failure>?
        index.search(request) { result = $0 }
        try wait("the search is answered") { result != nil }
        return result!
    }

    func search(_ text: String, in id: String? = nil, limit: Int = 100, before: Int64? = nil) throws -> SearchAnswer {
        try answer(SearchRequest(SearchQuery(text), in: id, before: before, limit: limit)).get()
    }

    /// What is found, as `session#seq`, page by page.
    func found(_ text: String, in id: String? = nil, page: Int = 7) throws -> [String] {
        var all: [String] = []
        var before: Int64?
        repeat {
            let answer = try search(text, in: id, limit: page, before: before)
            all += answer.matches.map { "\($0.sessionId)#\($0.seq)" }
            before = answer.next
        } while before != nil
        return all
    }

    /// All bytes of the index's files.
    var bytes: Data {
        var all = Data()
        for suffix in ["", "-wal", "-journal"] { all += FileManager.default.contents(atPath: path + suffix) ?? Data() }
        return all
    }

    var mode: Int? {
        (try? FileManager.default.attributesOfItem(atPath: path))?[.posixPermissions] as? Int
    }
}
