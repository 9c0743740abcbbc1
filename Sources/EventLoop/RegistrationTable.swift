import Base

/// The handlers by descriptor. Each registration has a generation, which the kernel hands back with an event: a report
/// that was collected before its descriptor was closed and given out anew is recognised as stale.
struct RegistrationTable {
    private struct Slot {
        var handler: (any FileDescriptorHandler)?
        var generation: UInt32 = 0
        var interest: Interest = []
    }

    private var slots: ContiguousArray<Slot> = []

    mutating func insert(
        _ fd: Int32, _ interest: Interest, _ handler: any FileDescriptorHandler
    ) throws(SystemError) -> UInt64 {
        let index = Int(fd)
        while slots.count <= index { slots.append(Slot()) }
        guard slots[index].handler == nil else {
            throw SystemError(errno: alreadyExists, operation: "register descriptor \(fd)")
        }
        slots[index].handler = handler
        slots[index].generation &+= 1
        slots[index].interest = interest
        return token(index)
    }

    /// The token to modify with, or nil when nothing is to be done.
    mutating func change(_ fd: Int32, _ interest: Interest) -> UInt64? {
        let index = Int(fd)
        guard slots.indices.contains(index), slots[index].handler != nil, slots[index].interest != interest else {
            return nil
        }
        slots[index].interest = interest
        return token(index)
    }

    mutating func replace(_ fd: Int32, _ handler: any FileDescriptorHandler) {
        let index = Int(fd)
        if slots.indices.contains(index), slots[index].handler != nil { slots[index].handler = handler }
    }

    @discardableResult
    mutating func remove(_ fd: Int32) -> Bool {
        let index = Int(fd)
        guard slots.indices.contains(index), slots[index].handler != nil else { return false }
        slots[index].handler = nil
        return true
    }

    func handler(for token: UInt64) -> (any FileDescriptorHandler)? {
        let index = Int(token & 0xffff_ffff)
        guard index < slots.count, slots[index].generation == UInt32(truncatingIfNeeded: token >> 32) else {
            return nil
        }
        return slots[index].handler
    }

    private func token(_ index: Int) -> UInt64 {
        UInt64(slots[index].generation) << 32 | UInt64(truncatingIfNeeded: index)
    }
}
