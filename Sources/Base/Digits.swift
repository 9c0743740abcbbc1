extension [UInt8] {
    /// Appends a number in decimal.
    @inlinable
    package mutating func appendDecimal(_ number: Int) {
        appendDecimal(Int64(number))
    }

    @inlinable
    package mutating func appendDecimal(_ number: Int64) {
        if number < 0 { append(UInt8(ascii: "-")) }
        var rest = number.magnitude
        let start = count
        repeat {
            append(UInt8(truncatingIfNeeded: 0x30 + rest % 10))
            rest /= 10
        } while rest > 0
        self[start...].reverse()
    }

    /// Appends a non-negative number with at least `width` digits.
    package mutating func appendDigits(_ number: Int, width: Int) {
        var divisor = 1
        for _ in 1..<width { divisor *= 10 }
        var rest = Swift.max(0, number)
        while divisor > 0 {
            append(UInt8(truncatingIfNeeded: 0x30 + rest / divisor % 10))
            rest %= divisor
            divisor /= 10
        }
    }
}
