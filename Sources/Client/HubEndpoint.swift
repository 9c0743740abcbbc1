import Base
import Glibc
import JSON

/// Where the daemon listens, and what proves to it who we are.
public struct HubEndpoint: Equatable, Sendable {
    /// A name or an address to connect to.
    public var host: String
    public var port: UInt16
    /// Sent as `Authorization: Bearer`; nil when there is none or it may not be sent.
    public var token: String?
    /// What `endpoint.json` says about the daemon; nil for an address given by hand.
    public var pid: Int32?
    /// The daemon's own.
    public var version: String?
    /// Another one after each start of the daemon.
    public var instanceId: String?

    /// An address given by hand. A token is sent wherever it is: only give one for an address that is trusted.
    public init(
        host: String, port: UInt16, token: String? = nil, pid: Int32? = nil, version: String? = nil,
        instanceId: String? = nil
    ) {
        self.host = host
        self.port = port
        self.token = token
        self.pid = pid
        self.version = version
        self.instanceId = instanceId
    }

    /// The value of the `Host` header, which the daemon compares exactly.
    package var authority: String {
        host.contains(":") && !host.hasPrefix("[") ? "[\(host)]:\(port)" : "\(host):\(port)"
    }

    /// Finds the daemon: `CORE_HOST` and `CORE_PORT` when a port is given there, else `core/endpoint.json`.
    ///
    /// That a daemon is written down does not mean that it runs: a killed one leaves the file behind.
    ///
    /// - Throws: `noDaemon` when none is written down, `unsafeHome` when what is written there can't be trusted.
    public static func discover(
        home: HubHome, environment: (String) -> String? = environmentVariable
    ) throws(HubError) -> HubEndpoint {
        var endpoint: HubEndpoint
        if let explicit = try explicit(environment) {
            endpoint = explicit
        } else {
            guard let bytes = try home.readFile("core/endpoint.json", isSecret: false) else {
                throw HubError(.noDaemon, "no daemon runs for \(home.path)")
            }
            endpoint = try parse(bytes, file: home.path + "/core/endpoint.json")
        }
        if LoopbackListener.belongsToUs(host: endpoint.host, port: endpoint.port) {
            endpoint.token = try home.readFile("core/token", isSecret: true).flatMap(token)
        }
        return endpoint
    }

    private static func explicit(_ environment: (String) -> String?) throws(HubError) -> HubEndpoint? {
        guard let text = environment("CORE_PORT"), !text.isEmpty else { return nil }
        guard let port = UInt16(text) else { throw HubError(.noDaemon, "CORE_PORT is no port: \(text)") }
        // Port 0 asks the daemon for any free one: only the file says which.
        if port == 0 { return nil }
        return HubEndpoint(host: reachable(environment("CORE_HOST") ?? ""), port: port)
    }

    static func parse(_ bytes: [UInt8], file: String) throws(HubError) -> HubEndpoint {
        guard let json = try? JSON.parse(bytes), let host = json["host"]?.stringValue,
            let port = (json["port"]?.intValue).flatMap({ UInt16(exactly: $0) }), port > 0, isHost(host)
        else { throw HubError(.noDaemon, "\(file) names no address: start the daemon again") }
        return HubEndpoint(
            host: reachable(host), port: port, pid: (json["pid"]?.intValue).flatMap { Int32(exactly: $0) },
            version: json["version"]?.stringValue, instanceId: json["instanceId"]?.stringValue)
    }

    /// The host goes into a request's header: nothing but the letters of names and addresses.
    private static func isHost(_ host: String) -> Bool {
        !host.isEmpty && host.utf8.count <= 255
            && host.utf8.allSatisfy { byte in
                switch byte {
                case 0x30...0x39, 0x41...0x5a, 0x61...0x7a: true
                case UInt8(ascii: "."), UInt8(ascii: ":"), UInt8(ascii: "-"), UInt8(ascii: "["), UInt8(ascii: "]"): true
                default: false
                }
            }
    }

    /// An address to connect to for one to listen on.
    private static func reachable(_ host: String) -> String {
        switch host {
        case "", "0.0.0.0": "127.0.0.1"
        case "::", "[::]": "::1"
        default: host
        }
    }

    private static func token(_ bytes: [UInt8]) -> String? {
        let text = bytes.filter { $0 > 0x20 && $0 < 0x7f }
        return text.isEmpty || text.count > 1024 ? nil : String(decoding: text, as: UTF8.self)
    }
}

/// Who listens on a port of this machine, by the kernel's socket table.
///
/// A daemon that was killed leaves its address written down, and another user can listen there now: the token must
/// not go to them.
enum LoopbackListener {
    static func belongsToUs(host: String, port: UInt16) -> Bool {
        guard host == "localhost" || host.hasPrefix("127.") || host == "::1" || host == "[::1]" else { return false }
        let found = ["/proc/net/tcp", "/proc/net/tcp6"].flatMap { owners(of: port, table: readTable($0)) }
        return !found.isEmpty && found.allSatisfy { $0 == geteuid() }
    }

    /// The users of all sockets that listen on `port` (state 0A), from the text of `/proc/net/tcp`.
    static func owners(of port: UInt16, table: String) -> [UInt32] {
        table.split(separator: "\n").compactMap { line in
            let fields = line.split(separator: " ", omittingEmptySubsequences: true)
            guard fields.count > 7, fields[3] == "0A", let local = fields[1].split(separator: ":").last,
                UInt16(local, radix: 16) == port
            else { return nil }
            return UInt32(fields[7])
        }
    }

    private static func readTable(_ path: String) -> String {
        let fd = open(path, O_RDONLY | O_CLOEXEC)
        guard fd >= 0 else { return "" }
        defer { close(fd) }
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 65536)
        while bytes.count < 16 << 20 {
            let count = read(fd, &chunk, chunk.count)
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { break }
            bytes.append(contentsOf: chunk[..<count])
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}
