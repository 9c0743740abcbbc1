import FaultServer
import Foundation

/// `faults FOLDER [PORT]`: serves a folder over http on 127.0.0.1, with the faults that a path names: see `Fault`. Prints
/// the port, then a line for each request, and ends with its standard input.
enum Faults {
    static func run(arguments: [String]) throws {
        guard let folder = arguments.first else { exit(2) }
        let server = try FaultServer(
            port: arguments.dropFirst().first.flatMap { UInt16($0) } ?? 0,
            content: { path in
                guard !path.contains("..") else { return nil }
                return FileManager.default.contents(atPath: folder + path).map { Array($0) }
            },
            fault: { request, _ in
                say("\(request.method) \(request.path) from \(request.start)")
                return nil
            })
        say("\(server.port)")
        while readLine() != nil {}
        server.stop()
    }

    /// Not by `print`: flushing waits for the stream that `readLine` holds.
    private static func say(_ line: String) {
        try? FileHandle.standardOutput.write(contentsOf: Data((line + "\n").utf8))
    }
}
