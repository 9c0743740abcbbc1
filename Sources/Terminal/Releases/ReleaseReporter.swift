import Base
import Glibc
import Installations
import JSON
import Releases

/// Shows a person how an installation goes, or tells a program.
final class ReleaseReporter {
    private let output: Output
    /// Only the plan is wanted.
    private let isQuiet: Bool
    private let isLive: Bool
    private let clock = ContinuousClock()
    private var hasLine = false
    private var lastTime: ContinuousClock.Instant?
    /// Where the rate counts from.
    private var begin: (time: ContinuousClock.Instant, received: Int)?

    init(_ output: Output, isQuiet: Bool) {
        self.output = output
        self.isQuiet = isQuiet
        isLive = !output.isJSON && isatty(STDERR_FILENO) == 1
    }

    func report(_ event: ReleaseEvent) {
        if isQuiet {
            guard case .plan = event else { return }
        }
        if output.isJSON {
            guard !isTooSoon(event) else { return }
            output.print(json: event.json)
        } else {
            show(event)
        }
    }

    /// Takes the progress away.
    func end() {
        if hasLine { TerminalDevice.write("\r\u{1b}[K", to: STDERR_FILENO) }
        hasLine = false
    }

    private func show(_ event: ReleaseEvent) {
        switch event {
        case .resolving, .verifying, .preflight, .switching: break
        case .skipped(let manifest, let reason): note("\(manifest) is left out: \(reason)")
        case .plan(let plan): show(plan)
        case .downloading(_, let received, let total, _): showDownload(received, total)
        case .unpacking(_, let version): line("Unpacking \(version)")
        case .restarting(let turns):
            note(
                turns == 0
                    ? "Restarting the daemon"
                    : "Restarting the daemon; \(turns == 1 ? "a turn is" : "\(turns) turns are") being waited for")
        case .watching(let milliseconds, let total): line("Watching it: \(milliseconds / 1000) of \(total / 1000) s")
        case .rolledBack(let reason): note("Going back: \(reason)")
        case .cleaned(let versions):
            if !versions.isEmpty { note("Removed \(versions.map(\.description).joined(separator: ", "))") }
        }
    }

    private func show(_ plan: ReleasePlan) {
        for change in plan.changes {
            let from = change.from.map { "\($0) -> " } ?? ""
            let size =
                change.download == 0 ? "downloaded already" : "\(ReleaseReporter.size(change.download)) to download"
            note("\(change.component) \(from)\(change.entry.version), \(size)")
            if let notes = change.notes, change.from != nil { note("\n" + notes + "\n") }
        }
        let unsigned = plan.changes.filter { $0.signedBy == nil }.map { "\($0.component)" }
        if !unsigned.isEmpty { note("! nobody has signed: \(unsigned.joined(separator: ", "))") }
        for waiting in plan.waiting { note("\(waiting.component) \(waiting.version) needs the core \(waiting.core)") }
    }

    private func showDownload(_ received: Int, _ total: Int) {
        let begin = begin ?? (clock.now, received)
        self.begin = begin
        let seconds = (clock.now - begin.time) / .seconds(1)
        let rate =
            seconds > 0.5 ? "  \(ReleaseReporter.size(Int(Double(max(0, received - begin.received)) / seconds)))/s" : ""
        let percent = total > 0 ? received * 100 / total : 0
        line("\(ReleaseReporter.size(received)) of \(ReleaseReporter.size(total))  \(percent) %\(rate)")
    }

    /// One line that the next takes the place of; nothing where nobody looks.
    private func line(_ text: String) {
        guard isLive else { return }
        // One that wraps couldn't be taken away. In the last column the cursor would hang between two lines.
        let width = TerminalDevice.size(of: STDERR_FILENO).width - 1
        TerminalDevice.write(
            "\r\u{1b}[K" + DisplayWidth.truncate(Sanitizer.cleanLine(text), to: width), to: STDERR_FILENO)
        hasLine = true
    }

    private func note(_ text: String) {
        end()
        output.note(text)
    }

    /// A program needs no more than ten lines a second of what repeats.
    private func isTooSoon(_ event: ReleaseEvent) -> Bool {
        switch event {
        case .downloading(_, let received, let total, _) where received < total: break
        case .watching: break
        default: return false
        }
        if let lastTime, clock.now - lastTime < .milliseconds(100) { return true }
        lastTime = clock.now
        return false
    }

    static func size(_ bytes: Int) -> String {
        if bytes < 10_000 { return "\(bytes) B" }
        let (unit, name) = bytes < 1_000_000 ? (1000, "kB") : (1_000_000, "MB")
        let tenths = bytes * 10 / unit
        return "\(tenths / 10).\(tenths % 10) \(name)"
    }
}
