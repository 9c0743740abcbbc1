import Base
import CLinux
import Glibc
import JSON

/// The lock that lets one daemon at a time use a home. The kernel lets it go when the process ends, however it ends.
struct SingleInstance {
    /// For passing it on: the lock belongs to whoever has the descriptor open.
    let file: Int32

    /// - Parameter inherited: the lock's descriptor of the daemon that ran in this process before.
    init(_ home: Home, inherited: Int32?) throws(StartError) {
        if let inherited {
            if SingleInstance.isLock(inherited, of: home) {
                file = inherited
                return
            }
            // The file was replaced meanwhile: the lock on the old one keeps nobody away.
            close(inherited)
        }
        file = open(home.lock, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0o600)
        guard file >= 0 else { throw StartError("\(SystemError.current("open \(home.lock)"))") }
        guard flock(file, LOCK_EX | LOCK_NB) == 0 else {
            close(file)
            throw StartError(SingleInstance.message(home), exitCode: .alreadyRunning)
        }
    }

    private static func isLock(_ file: Int32, of home: Home) -> Bool {
        var (given, named) = (stat(), stat())
        return fstat(file, &given) == 0 && lstat(home.lock, &named) == 0 && given.st_dev == named.st_dev
            && given.st_ino == named.st_ino && flock(file, LOCK_EX | LOCK_NB) == 0
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
                // One that others could have read is a secret no more.
                if text.utf8.count == 64, isPrivate(path) { return text }
            }
            let token = hexadecimal(randomBytes(32))
            try writeFile(path, Array((token + "\n").utf8))
            return token
        } catch {
            throw StartError("The token can't be read or made: \(error).")
        }
    }

    private static func isPrivate(_ path: String) -> Bool {
        var information = stat()
        return lstat(path, &information) == 0 && information.st_mode & 0o077 == 0 && information.st_uid == geteuid()
    }
}
