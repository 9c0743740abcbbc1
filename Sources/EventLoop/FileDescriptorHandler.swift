/// What a registered descriptor reports its readiness to.
package protocol FileDescriptorHandler: AnyObject {
    func ready(_ events: Readiness)
}

/// What to wait for on a descriptor. Empty: only hang-up and error.
package struct Interest: OptionSet, Sendable {
    package let rawValue: UInt8
    package init(rawValue: UInt8) { self.rawValue = rawValue }

    package static let read = Interest(rawValue: 1)
    package static let write = Interest(rawValue: 2)
}

/// What a descriptor is ready for.
package struct Readiness: OptionSet, Sendable {
    package let rawValue: UInt8
    package init(rawValue: UInt8) { self.rawValue = rawValue }

    package static let readable = Readiness(rawValue: 1)
    package static let writable = Readiness(rawValue: 2)
    /// Both directions are gone; what was received before may still be readable.
    package static let hangup = Readiness(rawValue: 4)
    package static let error = Readiness(rawValue: 8)
}
