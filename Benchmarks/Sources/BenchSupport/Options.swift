import Glibc

/// `--name value` pairs of a benchmark's command line.
package struct CommandLineOptions {
    private var values: [String: String] = [:]
    private var unused: Set<String>

    package init(_ arguments: [String] = Array(CommandLine.arguments.dropFirst())) {
        var rest = arguments[...]
        while let name = rest.popFirst() {
            guard name.hasPrefix("--"), let value = rest.popFirst() else { stop("\(name): options are --name value") }
            values[String(name.dropFirst(2))] = value
        }
        unused = Set(values.keys)
    }

    package mutating func text(_ name: String, _ fallback: String) -> String {
        unused.remove(name)
        return values[name] ?? fallback
    }

    package mutating func number(_ name: String, _ fallback: Int) -> Int {
        let text = text(name, "\(fallback)")
        guard let number = Int(text), number >= 0 else { stop("--\(name): \(text) is no number") }
        return number
    }

    package mutating func seconds(_ name: String, _ fallback: Double) -> Double {
        let text = text(name, "\(fallback)")
        guard let number = Double(text), number > 0 else { stop("--\(name): \(text) is no duration") }
        return number
    }

    /// Ends the program when there is an option that nothing asked for.
    package func done() {
        if let name = unused.min() { stop("unknown option: --\(name)") }
    }
}

package func stop(_ message: String) -> Never {
    let line = Array((message + "\n").utf8)
    _ = write(STDERR_FILENO, line, line.count)
    exit(1)
}

/// Prints one line of JSON: what the driver reads.
package func report(_ figures: KeyValuePairs<String, Double>) {
    print("{" + figures.map { "\"\($0.key)\":\($0.value)" }.joined(separator: ",") + "}")
}

package func cpuSeconds() -> Double {
    var time = timespec()
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time)
    return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
}

package func monotonicSeconds() -> Double {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
}

package func raiseDescriptorLimit() {
    var limit = rlimit()
    if getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 {
        limit.rlim_cur = limit.rlim_max
        setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
    }
}

/// A folder that is gone when the program ends in order.
package func makeTemporaryFolder(in parent: String? = nil) -> String {
    let root = parent ?? getenv("TMPDIR").map { String(cString: $0) } ?? "/tmp"
    var template = Array((root + "/codeai-bench-XXXXXX").utf8CString)
    guard mkdtemp(&template) != nil else { stop("no temporary folder can be made in \(root)") }
    return String(decoding: template.dropLast().map(UInt8.init(bitPattern:)), as: UTF8.self)
}

package func removeFolder(_ path: String) {
    if let directory = opendir(path) {
        while let entry = readdir(directory) {
            let name = withUnsafeBytes(of: &entry.pointee.d_name) {
                String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self)
            }
            if name != ".", name != ".." { removeFolder(path + "/" + name) }
        }
        closedir(directory)
    }
    remove(path)
}
