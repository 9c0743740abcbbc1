/// What a published event survives.
package enum Durability: String, Sendable, CaseIterable {
    /// The death of the daemon: the event is in the kernel's page cache before anybody sees it.
    case process
    /// The loss of power: `fdatasync` has returned before anybody sees it.
    case power
}
