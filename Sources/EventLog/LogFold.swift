package import HubProtocol
package import JSON

/// A state that is nothing but the fold of a log: what a restart recovers, what the list of sessions shows.
///
/// The checkpoint is a shortcut, never the truth: folding the whole log must give the same state. It is kept for every
/// session, loaded or not, so it should stay small (about 1 KiB).
package protocol LogFold {
    /// The state before the first event.
    init(header: LogHeader)
    mutating func apply(_ record: EventRecord)
    /// The state that `checkpoint` describes; nil when another version wrote it, upon which the whole log is folded.
    init?(checkpoint: JSON, header: LogHeader)
    var checkpoint: JSON { get }
}
