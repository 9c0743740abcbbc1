package import JSON

/// `core/service.json` in a home: a service manager starts the daemon there. `codeai-hub service install` writes it, and
/// whoever wants a daemon asks that manager for it in place of starting one of their own, which would find its address
/// taken.
package struct ServiceRecord: Equatable, Sendable {
    package enum Manager: String, Sendable { case systemd, launchd }

    /// Where the manager listens, and starts the daemon for the first who comes.
    package struct Socket: Equatable, Sendable {
        /// An address, not a name.
        package var host: String
        package var port: UInt16

        package init(host: String, port: UInt16) {
            self.host = host
            self.port = port
        }
    }

    package var manager: Manager
    /// Nil: the manager starts the daemon at login.
    package var socket: Socket?
    package var isHardened: Bool
    /// The `PATH` that the daemon gets.
    package var searchPath: String
    /// What was written, by path: what differs was changed by somebody else.
    package var files: [String: String]

    package static let name = "core/service.json"

    package init(
        manager: Manager, socket: Socket?, isHardened: Bool, searchPath: String, files: [String: String]
    ) {
        self.manager = manager
        self.socket = socket
        self.isHardened = isHardened
        self.searchPath = searchPath
        self.files = files
    }

    /// That of a home; nil when it has none that can be used.
    /// - Throws: `unsafeHome`.
    package static func read(_ home: HubHome) throws(HubError) -> ServiceRecord? {
        guard let bytes = try home.readFile(name, isSecret: false), let json = try? JSON.parse(bytes),
            json["schema"]?.intValue == 1, let manager = json["manager"]?.stringValue.flatMap(Manager.init)
        else { return nil }
        var socket: Socket?
        if let host = json["socket"]?["host"]?.stringValue,
            let port = json["socket"]?["port"]?.intValue.flatMap({ UInt16(exactly: $0) })
        {
            socket = Socket(host: host, port: port)
        }
        var files: [String: String] = [:]
        for (path, text) in json["files"]?.objectValue ?? [:] { files[path] = text.stringValue }
        return ServiceRecord(
            manager: manager, socket: socket, isHardened: json["hardened"]?.boolValue ?? false,
            searchPath: json["path"]?.stringValue ?? "", files: files)
    }

    package var json: JSON {
        var object: JSONObject = ["schema": 1, "manager": JSON(manager.rawValue)]
        object["socket"] = socket.map { ["host": JSON($0.host), "port": JSON(Int($0.port))] } ?? .null
        object["hardened"] = JSON(isHardened)
        object["path"] = JSON(searchPath)
        object["files"] = .object(
            JSONObject(members: files.sorted { $0.key < $1.key }.map { ($0.key, JSON($0.value)) }))
        return .object(object)
    }
}
