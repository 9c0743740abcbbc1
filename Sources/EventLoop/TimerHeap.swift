/// A timer set on a loop; can be cancelled, on the loop, until it fires.
package final class LoopTimer {
    let deadline: Int64
    let order: UInt64
    fileprivate(set) var body: (() -> Void)?
    /// Where it stands in the heap; -1 when it is no longer there.
    fileprivate var index = -1
    private unowned let loop: EventLoop

    fileprivate init(deadline: Int64, order: UInt64, loop: EventLoop, body: @escaping () -> Void) {
        self.deadline = deadline
        self.order = order
        self.loop = loop
        self.body = body
    }

    /// Whether it has neither fired nor been cancelled.
    package var isPending: Bool { index >= 0 }

    /// Has it not fire, and lets go of what it would have run. Without effect afterwards.
    package func cancel() {
        if index >= 0 { loop.cancel(self) }
    }
}

/// A binary heap by deadline; timers of the same deadline keep the order in which they were set.
struct TimerHeap {
    private var heap: ContiguousArray<LoopTimer> = []
    private var counter: UInt64 = 0

    var count: Int { heap.count }
    var earliest: Int64? { heap.first?.deadline }

    mutating func insert(deadline: Int64, loop: EventLoop, _ body: @escaping () -> Void) -> LoopTimer {
        counter &+= 1
        let timer = LoopTimer(deadline: deadline, order: counter, loop: loop, body: body)
        timer.index = heap.count
        heap.append(timer)
        siftUp(timer.index)
        return timer
    }

    mutating func popDue(_ now: Int64) -> (() -> Void)? {
        guard let first = heap.first, first.deadline <= now else { return nil }
        let body = first.body
        remove(first)
        return body
    }

    mutating func remove(_ timer: LoopTimer) {
        let index = timer.index
        guard index >= 0 else { return }
        timer.index = -1
        timer.body = nil
        let last = heap.removeLast()
        guard last !== timer else { return }
        heap[index] = last
        last.index = index
        siftUp(index)
        siftDown(last.index)
    }

    private func isBefore(_ a: LoopTimer, _ b: LoopTimer) -> Bool {
        a.deadline != b.deadline ? a.deadline < b.deadline : a.order < b.order
    }

    private mutating func siftUp(_ start: Int) {
        var index = start
        while index > 0 {
            let parent = (index - 1) / 2
            guard isBefore(heap[index], heap[parent]) else { return }
            exchange(index, parent)
            index = parent
        }
    }

    private mutating func siftDown(_ start: Int) {
        var index = start
        while true {
            var least = index
            for child in (2 * index + 1)...(2 * index + 2) where child < heap.count {
                if isBefore(heap[child], heap[least]) { least = child }
            }
            guard least != index else { return }
            exchange(index, least)
            index = least
        }
    }

    private mutating func exchange(_ a: Int, _ b: Int) {
        heap.swapAt(a, b)
        heap[a].index = a
        heap[b].index = b
    }
}
