/// Why a configuration can't be used: every problem found, each with its place.
package struct ConfigurationError: Error, Equatable, Sendable, CustomStringConvertible {
    package struct Problem: Equatable, Sendable, CustomStringConvertible {
        /// The file, `environment CORE_PORT`, or `--port`.
        package var source: String
        /// From 1; nil outside of a file.
        package var line: Int?
        /// The path of the key, for example `server.port`; empty when it is the file as a whole.
        package var key: String
        /// What is wrong, and what would be right.
        package var reason: String

        package var description: String {
            let place = line.map { "\(source):\($0)" } ?? source
            return key.isEmpty ? "\(place): \(reason)" : "\(place): \(key) \(reason)"
        }
    }

    package var problems: [Problem]

    package init(_ problems: [Problem]) {
        self.problems = problems
    }

    /// One problem a line.
    package var description: String { problems.map(\.description).joined(separator: "\n") }
}
