import Base
import Client
import Glibc
import JSON

/// The files of a definition where the service manager looks for them, and what has become of them since.
struct ServiceFiles {
    enum State: String {
        /// As it would be written now.
        case current
        /// As it was written; by now it would be another.
        case outdated
        /// Somebody has changed it.
        case edited
        /// Nobody knows who has written it.
        case foreign
        case missing
    }

    let home: HubHome
    let manager: ServiceRecord.Manager
    /// What was written; nil: nothing, as far as the home knows.
    let record: ServiceRecord?

    #if os(macOS)
        static let ofThisSystem = ServiceRecord.Manager.launchd
    #else
        static let ofThisSystem = ServiceRecord.Manager.systemd
    #endif

    init(home: HubHome, manager: ServiceRecord.Manager = ofThisSystem) throws(CommandFailure) {
        self.home = home
        self.manager = manager
        do throws(HubError) { record = try ServiceRecord.read(home) } catch { throw CommandFailure(error) }
    }

    /// Where the manager looks.
    static func folder(_ manager: ServiceRecord.Manager) -> String {
        switch manager {
        case .launchd: return homeDirectory() + "/Library/LaunchAgents"
        case .systemd:
            let base = environmentVariable("XDG_CONFIG_HOME").flatMap { $0.hasPrefix("/") ? $0 : nil }
            return (base ?? homeDirectory() + "/.config") + "/systemd/user"
        }
    }

    /// All that could be there, of any definition.
    var paths: [String] {
        let names = manager == .systemd ? [UserManager.service, UserManager.socket] : [LaunchAgent.file]
        return names.map { ServiceFiles.folder(manager) + "/" + $0 }
    }

    static func wanted(
        _ definition: ServiceDefinition, _ manager: ServiceRecord.Manager
    ) -> [(path: String, text: String)] {
        let files =
            switch manager {
            case .systemd: SystemdUnits.files(definition)
            case .launchd: [(name: LaunchAgent.file, text: LaunchAgent.text(definition))]
            }
        return files.map { (folder(manager) + "/" + $0.name, $0.text) }
    }

    var isInstalled: Bool { paths.contains { access($0, F_OK) == 0 } }

    /// Whether what is there starts this home's daemon, and not that of another home, which has taken the service over since.
    var areOfThisHome: Bool {
        let line =
            switch manager {
            case .systemd: "Environment=" + SystemdUnits.word("CODEAI_HUB_HOME=" + home.path)
            case .launchd: "<string>\(LaunchAgent.escape(home.path))</string>"
            }
        return paths.allSatisfy { path in
            guard !path.hasSuffix(".socket"), let bytes = try? readFile(path) else { return true }
            return bytes.split(separator: 0x0a).contains { text in
                text.drop { $0 == 0x20 }.elementsEqual(line.utf8)
            }
        }
    }

    /// - Parameter wanted: what would be written now; nil: nothing.
    func state(_ path: String, wanted: String?) -> State {
        guard access(path, F_OK) == 0 else { return .missing }
        let text = (try? readFile(path)).map { String(decoding: $0, as: UTF8.self) }
        // Of one that is a link to another folder only that is certain.
        guard let text, let written = record?.files[path] else {
            return text == wanted && text != nil ? .current : .foreign
        }
        if text == wanted { return .current }
        return text == written ? .outdated : .edited
    }

    /// Why the files must not be touched without being told to; nil: they may be.
    func objection() -> CommandFailure? {
        for path in paths {
            switch state(path, wanted: nil) {
            case .edited:
                return CommandFailure(
                    .refused, "unit_edited",
                    "\(path) was changed by hand. Move the changes into a drop-in, or give --force to lose them")
            case .foreign:
                return CommandFailure(
                    .refused, "unit_foreign",
                    "\(path) was not written for \(home.path): perhaps for another home. --force replaces it all the same"
                )
            case .current, .outdated, .missing: break
            }
        }
        return nil
    }

    func write(_ files: [(path: String, text: String)], _ definition: ServiceDefinition) throws(CommandFailure) {
        let record = ServiceRecord(
            manager: manager, socket: definition.socket, isHardened: definition.isHardened,
            searchPath: definition.searchPath, files: Dictionary(files.map { ($0.path, $0.text) }) { $1 })
        do throws(SystemError) {
            try makeDirectories(home.path + "/core")
            try makeDirectories(ServiceFiles.folder(manager))
            try writeFile(home.path + "/" + ServiceRecord.name, record.json.serialize() + [0x0a])
            for path in paths where !files.contains(where: { $0.path == path }) { unlink(path) }
            for file in files { try writeFile(file.path, Array(file.text.utf8), mode: 0o644) }
        } catch {
            throw CommandFailure(.refused, "write_failed", "\(error)")
        }
    }

    /// - Returns: what was there.
    func remove() -> [String] {
        let removed = paths.filter { unlink($0) == 0 }
        unlink(home.path + "/" + ServiceRecord.name)
        // Where nobody else has anything, the folder wasn't there before either.
        if !removed.isEmpty { rmdir(ServiceFiles.folder(manager)) }
        return removed
    }
}
