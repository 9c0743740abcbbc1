import Base
import EventLog
import EventLoop
import Glibc
import HubProtocol
import JSON
import Providers

@testable import Sessions

/// A service on a temporary home, with a loop that the test turns by hand.
final class SessionFixture: SessionObserver {
    let folder: String
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

    init(settings: SessionSettings = SessionSettings()) throws {
        var template = Array("/tmp/codeai-sessions-XXXXXX".utf8CString)
        folder = String(cString: mkdtemp(&template)!)
        loop = try EventLoop()
        service = try SessionFixture.makeService(folder, loop, providers, settings)
        service.observer = self
        service.start()
    }

    deinit {
        // The folder is ours alone: it was made for this fixture.
        for path in ["/sessions", "/backups", ""] { removeTree(folder + path) }
    }

    private func removeTree(_ path: String) {
        guard let directory = opendir(path) else { return }
        while let entry = readdir(directory) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            if name != ".", name != ".." { if unlink(path + "/" + name) != 0 { removeTree(path + "/" + name) } }
        }
        closedir(directory)
        rmdir(path)
    }

    private static func makeService(
        _ folder: String, _ loop: EventLoop, _ providers: FakeProviders, _ settings: SessionSettings
    ) throws -> SessionService {
        let store = try LogStore<SessionState>(
            directory: folder + "/sessions", backups: folder + "/backups", loop: loop, durability: .process)
        return SessionService(loop: loop, store: store, providers: providers, settings: settings)
    }

    /// As after a crash: the old service is forgotten as it is, a new one reads the disk.
    func restart() throws {
        turn()
        service.observer = nil
        providers.made = []
        committed = []
        service = try SessionFixture.makeService(folder, loop, providers, SessionSettings())
        service.observer = self
        service.start()
        turn()
    }

    func turn() { for _ in 0..<3 { loop.turn(waitingAtMost: .zero) } }

    func makeSession() throws -> Session {
        let session = try service.create(.init(providerId: "echo", workspace: "/tmp"), by: client)
        turn()
        return session
    }

    @discardableResult
    func send(_ text: String, to session: Session, id: String? = nil) throws -> AcceptedMessage {
        let accepted = try session.accept(text, clientMessageId: id, mode: .queue, by: client)
        turn()
        return accepted
    }

    var provider: FakeProvider { providers.made.last! }
    var kinds: [EventKind] { committed.map(\.kind) }

    func sessionCreated(_ session: Session) { created.append(session.id) }
    func sessionChanged(_ session: Session) { changes += 1 }
    func sessionDeleted(_ sessionId: String) { deleted.append(sessionId) }
    func session(_ session: Session, committed events: [CommittedEvent]) { committed += events.map(\.record) }
    func session(_ session: Session, streamed chunk: StreamChunk) { chunks.append(chunk) }
    func session(_ session: Session, failed failure: Failure) { failures.append(failure) }
}
