import BenchSupport
import EventLoop
import HubProtocol
import JSON
import Providers
import Sessions

/// Makes one kind of provider session: the one below.
final class FloodProviders: ProviderSource {
    var onSend: (FloodSession) -> Void = { _ in }

    func problem(with providerId: String) -> Failure? { nil }
    func note(_ quota: Quota, of providerId: String) {}

    func makeSession(_ providerId: String, _ start: ProviderStart) throws(Failure) -> any ProviderSession {
        FloodSession(self)
    }
}

/// A provider inside the process that says what the publisher hands it: everything of the daemon but a pipe and its
/// decoder, which `decode-bench` measures.
final class FloodSession: ProviderSession {
    weak var delegate: (any ProviderSessionDelegate)?
    let capabilities = ProviderCapabilities()
    let processId: Int32? = nil
    private let providers: FloodProviders
    private var count = 0

    init(_ providers: FloodProviders) { self.providers = providers }

    func start() {
        delegate?.providerSession(
            self, emitted: [.sessionReady(SessionReady(nativeSessionId: "flood"))])
    }

    func send(_ prompt: Prompt, turnId: String) { providers.onSend(self) }

    func emit(_ texts: [[UInt8]]) {
        var events: [NormalizedEvent] = []
        events.reserveCapacity(texts.count)
        for text in texts {
            count += 1
            events.append(.message(Message(itemId: "m\(count)", text: String(decoding: text, as: UTF8.self))))
        }
        delegate?.providerSession(self, emitted: events)
    }

    func interrupt() {}
    func answerPermission(_ requestId: String, _ decision: PermissionDecision, message: String?) {}
    func answerQuestion(_ requestId: String, answers: JSONObject?) {}
    func setModel(_ model: String) {}
    func setMode(_ mode: String) {}
    func stop() {}
}
