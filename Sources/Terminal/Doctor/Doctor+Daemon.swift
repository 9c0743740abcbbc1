import Base
import Client
import Configuration
import Glibc
import HubProtocol
import JSON
import Processes

/// The daemon: whether it runs, where it listens, what it says of itself.
extension Doctor {
    mutating func examineDaemon() async {
        let launcher = DaemonLauncher(home: home)
        do throws(HubError) {
            guard let endpoint = try await launcher.running() else { return examineAbsence() }
            let client = try HubClient(endpoint: endpoint)
            defer { client.close() }
            let status = try await client.call("GET", "/status")
            providerAnswer = try await client.call("GET", "/providers")
            self.status = status
            let version = status["core"]?["version"]?.stringValue ?? "?"
            let place = "\(endpoint.host):\(endpoint.port)" + (endpoint.pid.map { ", process \($0)" } ?? "")
            add("daemon", .ok, "runs at \(place), version \(version)")
            if version != clientVersion {
                add(
                    "daemon", .warning, "the daemon is of version \(version), this program of \(clientVersion)",
                    mend: "codeai-hub restart")
            }
        } catch {
            add("daemon", .problem, error.message, mend: "codeai-hub stop, or end the process; then codeai-hub start")
        }
    }

    private mutating func examineAbsence() {
        let path = home.path + "/core/endpoint.json"
        let isWritten = access(path, F_OK) == 0
        if home.isInUse {
            add(
                "daemon", .problem,
                "a daemon holds the home but doesn't answer\(isWritten ? "" : ": it starts, or ends")",
                mend:
                    "wait a moment and look again; if it stays so, end the process: fuser \(quoted(home.path + "/core/core.lock"))"
            )
        } else if isWritten {
            add(
                "daemon", .warning, "none runs, but \(path) names one: it was killed", mend: "codeai-hub start"
            ) { unlink(path) == 0 }
        } else {
            add("daemon", .ok, "none runs; the first client starts it")
        }
    }

    // MARK: The configuration

    mutating func examineConfiguration() {
        let path = status?["configuration"]?["path"]?.stringValue ?? home.path + "/core/config.json"
        var information = stat()
        guard stat(path, &information) == 0 else {
            return add("config", .ok, "not there yet: the daemon writes the defaults at its start")
        }
        if information.st_uid == getuid(), information.st_mode & 0o022 != 0 {
            add(
                "config", .problem, "others may change \(path), and with it what runs as you",
                mend: "chmod 600 \(quoted(path))"
            ) { chmod(path, 0o600) == 0 }
        } else if information.st_mode & 0o044 != 0 {
            add(
                "config", .warning, "others may read \(path): it can hold secrets of providers",
                mend: "chmod 600 \(quoted(path))"
            ) { chmod(path, 0o600) == 0 }
        }
        do throws(ConfigurationError) {
            _ = try Configuration.load(path: path, environment: [:], createsMissing: false)
            if !hasProblem("config") { add("config", .ok, "\(path) is valid") }
        } catch {
            // Whose file it is was said already.
            for problem in error.problems where !hasProblem("config") || problem.line != nil {
                add("config", .problem, problem.description, mend: "codeai-hub config edit")
            }
        }
        let waiting = status?["configuration"]?["needsRestart"]?.arrayValue?.compactMap(\.stringValue) ?? []
        if !waiting.isEmpty {
            add(
                "config", .warning, "waits for the daemon's next start: \(waiting.joined(separator: ", "))",
                mend: "codeai-hub restart")
        }
    }

    // MARK: The port

    mutating func examinePort() {
        if let core = status?["core"], let port = core["port"]?.intValue {
            return add("port", .ok, "\(core["host"]?.stringValue ?? ""):\(port) is the daemon's")
        }
        let file =
            (try? Configuration.load(
                path: home.path + "/core/config.json", environment: environment(), createsMissing: false))?
            .configuration
        var configuration = file ?? Configuration()
        if file == nil { _ = try? configuration.apply(environment: environment()) }
        let (host, port) = (configuration.server.host, configuration.server.port)
        guard host == "localhost" || host == "::1" || host == "[::1]" || host.hasPrefix("127.") else {
            return add(
                "port", .problem, "\(host) can be reached from elsewhere: the daemon refuses to listen there",
                mend: "codeai-hub config unset server.host")
        }
        guard port > 0 else { return add("port", .ok, "any free one is taken") }
        guard let holder = PortLook.holder(host: host, port: UInt16(clamping: port)) else {
            return add("port", .ok, "\(host):\(port) is free")
        }
        if let service = try? ServiceRecord.read(home), service.socket?.port == UInt16(clamping: port) {
            return add("port", .ok, "the service manager listens at \(host):\(port), and starts the daemon")
        }
        add(
            "port", .problem, "\(host):\(port) is taken by \(holder)",
            mend: "end that program, or: codeai-hub config set server.port 0")
    }

    private func environment() -> [String: String] {
        var result: [String: String] = [:]
        for name in ["CORE_HOST", "CORE_PORT"] { result[name] = environmentVariable(name) }
        return result
    }

    // MARK: Processes

    mutating func examineLeftovers() {
        let table = ProcessTable.snapshot()
        let marked = table.processes(marked: Leftovers.ownerVariable, home.path)
        let daemon = (status?["core"]?["pid"]?.intValue).map { Int32(clamping: $0) }
        let own = Set(daemon.map { table.descendants(of: $0) } ?? [])
        let left = marked.filter { !own.contains($0) && $0.pid != daemon }.map(\.pid).sorted()
        guard !left.isEmpty else { return add("processes", .ok, "nothing was left behind by an earlier daemon") }
        let pids = left.map(String.init).joined(separator: " ")
        add(
            "processes", .warning, "an earlier daemon left agents running: \(pids)",
            mend: daemon == nil ? "codeai-hub start, which ends them" : "kill \(pids)")
    }
}

/// Who listens on a port of this machine.
enum PortLook {
    /// - Returns: for people; nil when the port can be had.
    static func holder(host: String, port: UInt16) -> String? {
        guard !canBind(host: host, port: port) else { return nil }
        let found = ["/proc/net/tcp", "/proc/net/tcp6"].flatMap { listeners(on: port, in: $0) }
        guard let first = found.first else { return "another program" }
        guard first.user == getuid() else { return "a program of another user (\(first.user))" }
        guard let pid = owner(of: found.map(\.inode)) else { return "another program of yours" }
        let name = (try? readFile("/proc/\(pid)/comm", limit: 4096)).map {
            String(decoding: $0.filter { $0 > 32 }, as: UTF8.self)
        }
        return "\(name ?? "a program"), process \(pid)"
    }

    private static func canBind(host: String, port: UInt16) -> Bool {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        // Another name or family: only the daemon itself can tell.
        guard inet_pton(AF_INET, host == "localhost" ? "127.0.0.1" : host, &address.sin_addr) == 1 else { return true }
        let fd = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard fd >= 0 else { return true }
        defer { close(fd) }
        // As the daemon does: what an ended one left in TIME_WAIT is no holder.
        var on: Int32 = 1
        setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, socklen_t(MemoryLayout<Int32>.size))
        return withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(fd, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) == 0
            }
        } || errno != EADDRINUSE
    }

    /// Sockets that listen (state 0A).
    private static func listeners(on port: UInt16, in path: String) -> [(user: UInt32, inode: String)] {
        guard let bytes = try? readFile(path, limit: 16 << 20) else { return [] }
        return String(decoding: bytes, as: UTF8.self).split(separator: "\n").compactMap { line in
            let fields = line.split(separator: " ", omittingEmptySubsequences: true)
            guard fields.count > 9, fields[3] == "0A", let local = fields[1].split(separator: ":").last,
                UInt16(local, radix: 16) == port, let user = UInt32(fields[7])
            else { return nil }
            return (user, String(fields[9]))
        }
    }

    /// The process of ours that has one of these sockets open.
    private static func owner(of inodes: [String]) -> Int32? {
        let wanted = Set(inodes.map { "socket:[\($0)]" })
        for name in folderEntries("/proc") ?? [] {
            guard let pid = Int32(name) else { continue }
            for descriptor in folderEntries("/proc/\(pid)/fd") ?? [] {
                var buffer = [UInt8](repeating: 0, count: 128)
                let count = buffer.withUnsafeMutableBytes {
                    readlink(
                        "/proc/\(pid)/fd/\(descriptor)", $0.baseAddress!.assumingMemoryBound(to: CChar.self), $0.count)
                }
                guard count > 0 else { continue }
                if wanted.contains(String(decoding: buffer[..<count], as: UTF8.self)) { return pid }
            }
        }
        return nil
    }
}
