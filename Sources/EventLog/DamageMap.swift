/// The damaged stretches of a file, in order, touching ones joined.
struct DamageMap: Equatable {
    private(set) var ranges: [Range<Int>] = []

    var isEmpty: Bool { ranges.isEmpty }

    init(_ ranges: [Range<Int>] = []) {
        for range in ranges { insert(range) }
    }

    mutating func insert(_ range: Range<Int>) {
        guard !range.isEmpty else { return }
        var low = position(of: range.lowerBound)
        // The one before may touch or overlap.
        if low > 0, ranges[low - 1].upperBound >= range.lowerBound { low -= 1 }
        var high = low
        var joined = range
        while high < ranges.count, ranges[high].lowerBound <= range.upperBound {
            joined = min(joined.lowerBound, ranges[high].lowerBound)..<max(joined.upperBound, ranges[high].upperBound)
            high += 1
        }
        ranges.replaceSubrange(low..<high, with: CollectionOfOne(joined))
    }

    /// Where the stretch ends that holds this offset; nil when the offset is undamaged.
    @inline(__always)
    func end(at offset: Int) -> Int? {
        if ranges.isEmpty { return nil }
        let index = position(of: offset + 1)
        guard index > 0, ranges[index - 1].contains(offset) else { return nil }
        return ranges[index - 1].upperBound
    }

    /// The index of the first stretch that begins at `offset` or later.
    private func position(of offset: Int) -> Int {
        var low = 0
        var high = ranges.count
        while low < high {
            let middle = (low + high) / 2
            if ranges[middle].lowerBound < offset { low = middle + 1 } else { high = middle }
        }
        return low
    }
}
