import Base
import Glibc
import JSON

/// Small files that are read on the loop: manifests and settings.
enum ProviderFiles {
    /// No manifest or settings file comes near.
    static let limit = 1 << 20

    static func exists(_ path: String) -> Bool { access(path, R_OK) == 0 }

    /// Nil when there is no such file.
    static func read(_ path: String) throws(SystemError) -> [UInt8]? {
        let file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard file >= 0 else {
            if errno == ENOENT || errno == ENOTDIR { return nil }
            throw .current("open \(path)")
        }
        defer { close(file) }
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 65_536)
        while true {
            let count = Glibc.read(file, &chunk, chunk.count)
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { throw .current("read \(path)") }
            if count == 0 { return bytes }
            bytes.append(contentsOf: chunk[..<count])
            guard bytes.count <= limit else { throw SystemError(errno: EFBIG, operation: "read \(path)") }
        }
    }

    /// Nil when it is not there or no JSON.
    static func json(_ path: String) -> JSON? {
        guard let bytes = try? read(path) else { return nil }
        return try? JSON.parse(bytes)
    }

    /// The names of the folders within a folder.
    static func folders(in path: String) -> [String] {
        guard let directory = opendir(path) else { return [] }
        defer { closedir(directory) }
        var names: [String] = []
        while let entry = readdir(directory) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) { pointer in
                pointer.withMemoryRebound(to: UInt8.self, capacity: 256) { String(decodingCString: $0, as: UTF8.self) }
            }
            if !name.hasPrefix("."), isDirectory("\(path)/\(name)") { names.append(name) }
        }
        return names.sorted()
    }
}
