import Base
import Client
import Glibc

/// The service manager's own command: `systemctl`, or `launchctl` on macOS.
struct ServiceManagerCommand {
    private let kind: ServiceRecord.Manager
    private let home: HubHome
    private let systemd: UserManager?
    private let launchctl: String?

    /// - Returns: nil when there is none on this system.
    init?(home: HubHome, _ kind: ServiceRecord.Manager) {
        self.kind = kind
        self.home = home
        systemd = kind == .systemd ? UserManager(home: home) : nil
        launchctl = kind == .launchd ? DaemonProcess.find("launchctl") : nil
        if systemd == nil, launchctl == nil { return nil }
    }

    private static let units = [UserManager.socket, UserManager.service]

    /// Whether there is a manager behind the command.
    var answers: Bool {
        switch kind {
        case .systemd: systemd?.call("show", "--property=Version").code == 0
        case .launchd: launch("print", domain).code == 0
        }
    }

    /// Whether the daemon that runs was started by it.
    var ownsRunningDaemon: Bool {
        switch kind {
        case .systemd:
            let pid = systemd?.show(UserManager.service, ["MainPID"])["MainPID"].flatMap { Int32($0) }
            return pid ?? 0 > 0
        case .launchd: return launch("print", target).text.contains(text: "state = running")
        }
    }

    /// Starts it now, or its socket, and at each login.
    func enable(hasSocket: Bool) throws(CommandFailure) {
        switch kind {
        case .systemd:
            try systemctl("daemon-reload")
            // What failed before is past.
            forget()
            try systemctl("enable", "--now", hasSocket ? UserManager.socket : UserManager.service)
        case .launchd:
            _ = launch("bootout", target)
            let (code, text) = launch("bootstrap", domain, ServiceFiles.folder(.launchd) + "/" + LaunchAgent.file)
            guard code == 0 else { throw CommandFailure(.refused, "service_failed", "launchctl bootstrap: \(text)") }
        }
    }

    /// Stops it, and starts it no more. Where there is nothing, nothing happens.
    func disable() {
        switch kind {
        case .systemd: for unit in ServiceManagerCommand.units { _ = systemd?.call("disable", "--now", unit) }
        case .launchd: _ = launch("bootout", target)
        }
    }

    /// After files are gone, or have changed.
    func forget() {
        guard kind == .systemd else { return }
        _ = systemd?.call("daemon-reload")
        for unit in ServiceManagerCommand.units { _ = systemd?.call("reset-failed", unit) }
    }

    private func systemctl(_ arguments: String...) throws(CommandFailure) {
        guard let systemd else { return }
        let (code, text) = systemd.call(arguments)
        guard code == 0 else {
            let said = text.split(separator: "\n").joined(separator: " ")
            throw CommandFailure(
                .refused, "service_failed",
                "systemctl --user \(arguments.joined(separator: " ")) ended with \(code): \(said.prefix(600))")
        }
    }

    private var domain: String { "gui/\(getuid())" }
    private var target: String { "\(domain)/\(LaunchAgent.label)" }

    @discardableResult
    private func launch(_ arguments: String...) -> (code: Int32, text: String) {
        guard let launchctl, let (code, output) = DaemonProcess.capture(launchctl, arguments, home: home) else {
            return (127, "launchctl can't be started")
        }
        return (code, String(decoding: output, as: UTF8.self))
    }
}
