import Base
import EventLog

/// Writes the Prometheus text format, version 0.0.4.
struct MetricsText {
    private(set) var bytes: [UInt8] = []

    mutating func family(_ name: String, _ type: String, _ help: String) {
        bytes.append(contentsOf: "# HELP \(name) \(help)\n# TYPE \(name) \(type)\n".utf8)
    }

    mutating func sample(_ name: String, _ value: Double) { sample(name, [], value) }

    mutating func sample(_ name: String, _ labels: [(String, String)], _ value: Double) {
        bytes.append(contentsOf: name.utf8)
        if !labels.isEmpty {
            bytes.append(UInt8(ascii: "{"))
            for (index, label) in labels.enumerated() {
                if index > 0 { bytes.append(UInt8(ascii: ",")) }
                bytes.append(contentsOf: label.0.utf8)
                bytes.append(contentsOf: "=\"".utf8)
                for byte in label.1.utf8 {
                    switch byte {
                    case UInt8(ascii: "\\"), UInt8(ascii: "\""): bytes.append(contentsOf: [UInt8(ascii: "\\"), byte])
                    case 0x0a: bytes.append(contentsOf: "\\n".utf8)
                    default: bytes.append(byte)
                    }
                }
                bytes.append(UInt8(ascii: "\""))
            }
            bytes.append(UInt8(ascii: "}"))
        }
        bytes.append(UInt8(ascii: " "))
        if let whole = Int64(exactly: value) {
            bytes.appendDecimal(whole)
        } else {
            bytes.append(contentsOf: value.description.utf8)
        }
        bytes.append(0x0a)
    }

    mutating func gauge(_ name: String, _ help: String, _ value: Int) {
        family(name, "gauge", help)
        sample(name, Double(value))
    }

    mutating func counter(_ name: String, _ help: String, _ value: Int) {
        family(name, "counter", help)
        sample(name, Double(value))
    }

    /// One histogram for each set of labels; none without any.
    mutating func histogram(
        _ name: String, _ help: String, _ series: [(labels: [(String, String)], counts: LatencyHistogram)]
    ) {
        family(name, "histogram", help)
        for (labels, histogram) in series {
            var cumulative = 0
            for (bound, count) in zip(histogram.bounds, histogram.counts) {
                cumulative += count
                sample("\(name)_bucket", labels + [("le", bound.description)], Double(cumulative))
            }
            sample("\(name)_bucket", labels + [("le", "+Inf")], Double(histogram.count))
            sample("\(name)_sum", labels, Double(histogram.sumNanoseconds) / 1e9)
            sample("\(name)_count", labels, Double(histogram.count))
        }
    }
}
