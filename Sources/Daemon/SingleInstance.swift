import Base
import Glibc
import JSON

/// The lock that lets one daemon at a time use a home. The kernel lets it go when the process ends, however it ends.
struct SingleInstance {
    private let file: Int32

    init(_ home: Home) throws(StartError) {
        file = open(home.lock, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0o600)
        guard file >= 0 else { throw StartError("\(SystemError.current("open \(home.lock)"))") }
        guard flock(file, LOCK_EX | LOCK_NB) == 0 else {
            close(file)
            throw StartError(SingleInstance.message(home), exitCode: .alreadyRunning)
        }
    }

    private static func message(_ home: Home) -> String {
        guard let bytes = try? readFile(home.endpoint), let json = try? JSON.parse(bytes),
            let pid = json["pid"]?.intValue, let host = json["host"]?.stringValue, let port = json["port"]?.intValue
        else { return "Another daemon uses \(home.path)." }
        return "A daemon already runs on \(home.path): process \(pid), http://\(host):\(port)."
    }
}

/// `core/endpoint.json`: where clients find the daemon that runs.
struct EndpointFile {
    let path: String

    func write(_ object: JSONObject) throws(StartError) {
        do throws(SystemError) {
            try writeFile(path, JSON.object(object).serialize() + [0x0a])
        } catch {
            throw StartError("\(error)")
        }
    }

    func remove() { unlink(path) }
}

/// The secret that other users and, when configured, all clients must show.
enum TokenFile {
    /// The token as 64 hexadecimal digits; made on the first start.
    static func load(_ path: String) throws(StartError) -> String {
        do throws(SystemError) {
            if let bytes = try? readFile(path, limit: 1024) {
                let text = String(decoding: bytes.filter { $0 > 32 }, as: UTF8.self)
                if text.utf8.count == 64 {
                    // A token that others could have read is kept from now on.
                    chmod(path, 0o600)
                    return text
                }
            }
            let token = hexadecimal(randomBytes(32))
            try writeFile(path, Array((token + "\n").utf8))
            return token
        } catch {
            throw StartError("The token can't be read or made: \(error).")
        }
    }
}
