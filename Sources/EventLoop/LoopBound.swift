/// Carries a value that belongs to a loop through a `@Sendable` closure; only the loop's thread may look inside.
package struct LoopBound<Value>: @unchecked Sendable {
    package let loop: EventLoop
    private var stored: Value

    package init(_ value: Value, loop: EventLoop) {
        self.loop = loop
        stored = value
    }

    /// Traps on any thread but the loop's: that would be a data race, a mistake of the program and not of its input.
    package var value: Value {
        get {
            precondition(loop.isCurrent, "a loop-bound value was used on another thread")
            return stored
        }
        set {
            precondition(loop.isCurrent, "a loop-bound value was used on another thread")
            stored = newValue
        }
    }
}
