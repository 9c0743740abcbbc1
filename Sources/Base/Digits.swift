extension [UInt8] {
    /// Appends a number in decimal.
    package mutating func appendDecimal(_ number: Int) {
        appendDecimal(Int64(number))
    }

    package mutating func appendDecimal(_ number: Int64) {
        if number < 0 { append(UInt8(ascii: "-")) }
        appendDigits(number.magnitude, width: 1)
    }

    /// Appends a number with at least `width` digits, at most 20; a negative one as 0.
    package mutating func appendDigits(_ number: Int, width: Int) {
        appendDigits(UInt64(Swift.max(0, number)), width: width)
    }

    private mutating func appendDigits(_ number: UInt64, width: Int) {
        // The digits come from the low end: into a small buffer backwards, then over in one piece.
        withUnsafeTemporaryAllocation(of: UInt8.self, capacity: 20) { buffer in
            var rest = number
            var start = 20
            repeat {
                let (quotient, digit) = rest.quotientAndRemainder(dividingBy: 10)
                start -= 1
                buffer.initializeElement(at: start, to: 0x30 + UInt8(truncatingIfNeeded: digit))
                rest = quotient
            } while rest > 0
            while start > Swift.max(0, 20 - width) {
                start -= 1
                buffer.initializeElement(at: start, to: 0x30)
            }
            append(contentsOf: UnsafeBufferPointer(rebasing: buffer[start...]))
        }
    }
}
