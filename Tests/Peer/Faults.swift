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
                print("\(request.method) \(request.path) from \(request.start)")
                fflush(nil)
                return nil
            })
        print(server.port)
        fflush(nil)
        while readLine() != nil {}
        server.stop()
    }
}
