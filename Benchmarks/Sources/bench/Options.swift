import Foundation

/// What `scripts/bench.sh` was asked for.
struct Options {
    var isQuick = false
    /// Another server that speaks the command line of README.md, to be measured beside ours.
    var reference: String?
    var results = "doc/tmp/bench"
    var suites: [String] = []
    var wantedRuns: Int?
    var runs: Int { wantedRuns ?? (isQuick ? 1 : 5) }
    /// Seconds that may be spent, over the whole, on waiting for the machine to be quiet.
    var patience = 1800.0
    /// Seconds counted in one run of a throughput measurement.
    var duration: Double { isQuick ? 0.5 : 1.5 }
    /// Latencies need more: at 100 messages a second there is little to count.
    var pacedDuration: Double { isQuick ? 1 : 4 }

    static var usage: String {
        """
        usage: scripts/bench.sh [--quick] [--reference PROGRAM] [NAMES...]
          --quick               one short run of each instead of the median of 5
          --runs N              the median of N
          --patience SECONDS    how long to wait, over the whole, for others to leave the machine alone; 1800
          --reference PROGRAM   measure this server beside ours (Benchmarks/README.md says what it must understand)
          NAMES                 \(allSuites.map(\.name).joined(separator: " ")); all without names
        """
    }

    init(_ arguments: [String]) throws {
        var rest = arguments[...]
        while let word = rest.popFirst() {
            switch word {
            case "--quick": isQuick = true
            case "--reference", "--results":
                guard let value = rest.popFirst() else { throw Problem("\(word) has no value\n\(Options.usage)") }
                if word == "--reference" { reference = value } else { results = value }
            case "--runs", "--patience":
                guard let value = rest.popFirst().flatMap({ Int($0) }), value >= (word == "--runs" ? 1 : 0) else {
                    throw Problem("\(word) needs a number\n\(Options.usage)")
                }
                if word == "--runs" { wantedRuns = value } else { patience = Double(value) }
            case "--help", "-h":
                print(Options.usage)
                exit(0)
            default:
                guard allSuites.contains(where: { $0.name == word }) else {
                    throw Problem("unknown: \(word)\n\(Options.usage)")
                }
                suites.append(word)
            }
        }
        if let reference, !FileManager.default.isExecutableFile(atPath: reference) {
            throw Problem("\(reference) is no program")
        }
    }
}

struct Problem: Error, CustomStringConvertible {
    let description: String
    init(_ description: String) { self.description = description }
}
