import Base
import EventLoop

/// When parked turns are due, over all sessions, loaded or not. One timer serves them all.
///
/// Times are of the wall clock, which people and providers mean and which may jump or go on while the machine sleeps:
/// it is looked at again at least once a minute, and before anything is done.
final class ParkingLot {
    private let loop: EventLoop
    private let clock: () -> Timestamp
    private var due: [String: Timestamp] = [:]
    private var timer: LoopTimer?
    /// A turn is due.
    var onDue: (_ sessionId: String) -> Void = { _ in }

    private static let longestSleep = Duration.seconds(60)

    init(loop: EventLoop, clock: @escaping () -> Timestamp) {
        self.loop = loop
        self.clock = clock
    }

    var isEmpty: Bool { due.isEmpty }

    /// - Parameter time: nil: no turn of the session is parked, or none that is tried by itself.
    func set(_ sessionId: String, _ time: Timestamp?) {
        guard due[sessionId] != time else { return }
        due[sessionId] = time
        arm()
    }

    private func arm() {
        timer?.cancel()
        guard let next = due.values.min() else { return }
        let wait = Duration.milliseconds(max(0, next.milliseconds - clock().milliseconds))
        timer = loop.schedule(after: min(wait, ParkingLot.longestSleep)) { [weak self] in self?.look() }
    }

    /// Resumes what is due.
    func look() {
        let now = clock()
        for (sessionId, time) in due.sorted(by: { ($0.value, $0.key) < ($1.value, $1.key) }) where time <= now {
            due[sessionId] = nil
            onDue(sessionId)
        }
        arm()
    }
}
