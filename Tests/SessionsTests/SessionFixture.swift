import Base
import EventLog
import EventLoop
import HubProtocol
import JSON
import Providers
import TestSupport

@testable import Sessions

/// A service on a temporary home, with a loop that the test turns by hand.
final class SessionFixture: SessionObserver {
    let folder: TemporaryFolder
    let loop: EventLoop
    let providers = FakeProviders()
    var service: SessionService
    let client = ClientIdentity(name: "test", id: "c1", transport: "websocket")
    let other = ClientIdentity(name: "other", id: "c2", transport: "http")

    var committed: [EventRecord] = []
    var chunks: [StreamChunk] = []
    var changes = 0
    var deleted: [String] = []
    var created: [String] = []
    var failures: [Failure] = []
    var workflow: [JSONObject] = []
    var drafted: [(sessionId: String, draft: MessageDraft)] = []
    /// What the service takes for the time.
    let time: Time
    private let budget: Budget
    private let settings: SessionSettings

    final class Time {
        /// Nil: the real one.
        var fixed: Timestamp?
        var now: Timestamp { fixed ?? .now }
    }

    init(settings: SessionSettings = SessionSettings(), budget: Budget = Budget(), now: Timestamp? = nil) throws {
        folder = try TemporaryFolder("sessions")
        loop = try EventLoop()
        time = Time()
        time.fixed = now
        self.budget = budget
        self.settings = settings
        service = try SessionFixture.makeService(folder.path, loop, providers, settings, budget, time)
        service.observer = self
        service.start()
    }

    /// False where the test's provider says what no adapter lets through.
    var hasHonestLogs = true
    deinit { if hasHonestLogs { Recording.logs(in: folder.path + "/sessions") } }

    private static func makeService(
        _ folder: String, _ loop: EventLoop, _ providers: FakeProviders, _ settings: SessionSettings,
        _ budget: Budget, _ time: Time
    ) throws -> SessionService {
        let store = try LogStore<SessionState>(
            directory: folder + "/sessions", backups: folder + "/backups", loop: loop, durability: .process)
        let spending = Spending(archive: UsageArchive(path: folder + "/usage.jsonl"), budget: budget)
        return SessionService(
            loop: loop, store: store, providers: providers, settings: settings, spending: spending,
            draftFolder: folder + "/drafts", clock: { time.now })
    }

    /// As after a crash: the old service is forgotten as it is, a new one reads the disk.
    func restart() throws {
        turn()
        service.observer = nil
        providers.made = []
        committed = []
        service = try SessionFixture.makeService(folder.path, loop, providers, settings, budget, time)
        service.observer = self
        service.start()
        turn()
    }

    /// Turns the loop until something is so, for a bounded time.
    func wait(for what: String, _ condition: () -> Bool) throws {
        let end = ContinuousClock.now + .seconds(10)
        while !condition() {
            guard ContinuousClock.now < end else { throw TestFailure("timed out: \(what)") }
            loop.turn(waitingAtMost: .milliseconds(5))
        }
        turn()
    }

    /// Status events of a type.
    func statuses(_ type: String) -> [JSONObject] {
        committed.filter { $0.kind == .status && $0.data["type"]?.stringValue == type }.map(\.data)
    }

    func turn() { for _ in 0..<3 { loop.turn(waitingAtMost: .zero) } }

    func makeSession() throws -> Session {
        let session = try service.create(.init(providerId: "echo", workspace: "/tmp"), by: client)
        turn()
        return session
    }

    @discardableResult
    func send(_ text: String, to session: Session, id: String? = nil) throws -> AcceptedMessage {
        let accepted = try session.accept(IncomingMessage(text, clientMessageId: id, mode: .queue), by: client)
        turn()
        return accepted
    }

    var provider: FakeProvider { providers.made.last! }
    func provider(of providerId: String?) -> FakeProvider? { providers.made.last { $0.providerId == providerId } }
    var kinds: [EventKind] { committed.map(\.kind) }

    func sessionCreated(_ session: Session) { created.append(session.id) }
    func sessionChanged(_ session: Session) { changes += 1 }
    func sessionDeleted(_ sessionId: String) { deleted.append(sessionId) }
    func session(_ session: Session, committed events: [CommittedEvent]) { committed += events.map(\.record) }
    func session(_ session: Session, streamed chunk: StreamChunk) { chunks.append(chunk) }
    func session(_ session: Session, failed failure: Failure) { failures.append(failure) }
    func session(_ sessionId: String, drafted draft: MessageDraft) { drafted.append((sessionId, draft)) }
    func workflowEvent(_ event: JSONObject) { workflow.append(event) }
}
