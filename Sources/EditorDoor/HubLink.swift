import Base
import Client
import EventLoop
import JSON

/// The daemon, for the door's loop: asks it, opens streams, and starts it when none runs. Loop-confined, but for what
/// says otherwise.
final class HubLink: Sendable {
    typealias Answer = (Result<JSON, HubError>) -> Void

    private struct State {
        /// As whom the daemon's other clients see this one.
        var name = "editor"
        var version = "0"
        var isStarting = false
        /// A person stopped the daemon: it isn't started again before the editor wants something of it.
        var wasStopped = false
    }

    private let loop: EventLoop
    private let client: HubClient
    private let launcher: DaemonLauncher
    private let state = Lock(State())

    /// - Throws: `launchFailed` when the system refuses a thread.
    init(home: HubHome, loop: EventLoop) throws(HubError) {
        self.loop = loop
        client = try HubClient(home: home)
        launcher = DaemonLauncher(home: home)
    }

    func close() { client.close() }

    func introduce(name: String, version: String) {
        state.withLock {
            $0.name = name
            $0.version = version
        }
    }

    // MARK: Asking

    /// Sends a request below `/api/v1`. A daemon that isn't there is started first.
    /// - Parameter isRepeatable: whether it may be sent again when nobody can tell what became of it.
    func call(
        _ method: String, _ path: String, _ body: JSON? = nil, isRepeatable: Bool = true, _ answer: @escaping Answer
    ) {
        let bound = LoopBound(answer, loop: loop)
        let bytes = body?.serialize()
        Task { [self] in
            let result = await ask(method, path, bytes, isRepeatable: isRepeatable)
            loop.submit { bound.value(result) }
        }
    }

    private func ask(
        _ method: String, _ path: String, _ body: [UInt8]?, isRepeatable: Bool
    ) async -> Result<JSON, HubError> {
        let (name, version) = state.withLock { ($0.name, $0.version) }
        var tries = 0
        while true {
            tries += 1
            do throws(HubError) {
                let answer = try await client.request(
                    method, "/api/v1" + path, body: body, headers: [("user-agent", "\(name)/\(version)")])
                return .success(try answer.json())
            } catch {
                let wasNotSent = error.code == .noDaemon
                guard tries < 3, wasNotSent || error.code == .connectionLost && isRepeatable else {
                    return .failure(error)
                }
                do throws(HubError) { _ = try await launcher.ensureRunning() } catch { return .failure(error) }
            }
        }
    }

    /// Claude Code when it can be used at once, else the built-in agent, which needs no account.
    func chooseProvider(_ answer: @escaping (Result<String, HubError>) -> Void) {
        let bound = LoopBound(answer, loop: loop)
        Task { [self] in
            var result: Result<String, HubError>
            do throws(HubError) {
                _ = try await launcher.ensureRunning()
                result = .success(try await client.preferredProvider())
            } catch {
                result = .failure(error)
            }
            loop.submit { [result] in bound.value(result) }
        }
    }

    // MARK: Streams

    /// A session's whole log, then what happens in it, without a seam. The daemon sends no faster than it is taken.
    func open(sessionId: String, _ answer: @escaping (Result<HubStream, HubError>) -> Void) {
        let bound = LoopBound(answer, loop: loop)
        Task { [self] in
            var options = StreamOptions()
            (options.name, options.version) = state.withLock { ($0.name, $0.version) }
            options.subscription = .sessions([sessionId])
            options.resume = [sessionId: 0]
            var result: Result<HubStream, HubError>
            do throws(HubError) {
                _ = try await launcher.ensureRunning()
                result = .success(try await client.openStream(options))
            } catch {
                result = .failure(error)
            }
            loop.submit { [result] in bound.value(result) }
        }
    }

    /// Hands a stream's events on, each when the one before has been taken and there is room for more.
    func follow(_ stream: HubStream, _ take: @escaping (HubEvent, _ goOn: @escaping () -> Void) -> Void) {
        let (loop, bound) = (loop, LoopBound(take, loop: loop))
        Task {
            for await event in stream.events {
                await withCheckedContinuation { continuation in
                    loop.submit { bound.value(event) { continuation.resume() } }
                }
            }
        }
    }

    // MARK: A daemon that goes

    var wasStopped: Bool { state.withLock { $0.wasStopped } }

    func noteStopping() { state.withLock { $0.wasStopped = true } }

    func noteConnection() { state.withLock { $0.wasStopped = false } }

    /// A stream lost its connection. One that restarts answers the first new try; a daemon that doesn't, and wasn't
    /// stopped by anybody, has died.
    func noteLoss(attempt: Int) {
        let shallStart = state.withLock { state in
            guard attempt >= 2, !state.wasStopped, !state.isStarting else { return false }
            state.isStarting = true
            return true
        }
        guard shallStart else { return }
        Task { [self] in
            _ = try? await launcher.ensureRunning()
            state.withLock { $0.isStarting = false }
        }
    }
}
