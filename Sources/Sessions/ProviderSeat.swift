import EventLoop
import Providers

/// One provider's place in a session: the process behind it, while there is one, and what that was handed.
///
/// A session has one for each provider that takes part in it, so that several can be talked to in turn without any of
/// them being started anew.
final class ProviderSeat {
    let providerId: String
    /// From its start to its end.
    private(set) var provider: (any ProviderSession)?
    private var wasToldToEnd = false
    /// The last turn that it was given, or began by itself: only that one can it end.
    var handedTurnId: String?
    /// The session went over to another provider: the process ends with the turn it has.
    var isLeaving = false

    /// Crashes and failed starts in a row.
    var failures = 0
    /// On the loop's clock: until then it isn't started again.
    var restsUntil = Duration.zero
    var restTimer: LoopTimer?
    /// The turn of which it was said that it waits for that.
    var restAnnouncedFor: String?

    init(providerId: String) { self.providerId = providerId }

    /// It was told to end, or is ending by itself: it takes nothing more, and no turn of its begins until it is gone.
    var isStopping: Bool { wasToldToEnd || provider?.isEnding == true }

    /// The provider as long as it takes what it is told.
    var listening: (any ProviderSession)? { isStopping ? nil : provider }

    func take(_ made: any ProviderSession) {
        provider = made
        isLeaving = false
    }

    /// From now on it hears nothing more, until `stop` ends it.
    func silence() { wasToldToEnd = provider != nil }

    func stop() {
        silence()
        provider?.stop()
    }

    func vacate() {
        provider = nil
        wasToldToEnd = false
        isLeaving = false
        handedTurnId = nil
    }
}
