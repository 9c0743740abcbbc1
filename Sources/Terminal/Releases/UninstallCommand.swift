import Base
import Client
import Glibc
import Installations
import JSON
import Releases

/// `codeai-hub uninstall`.
enum UninstallCommand {
    @Sendable static func run(_ invocation: Invocation) async throws(CommandFailure) -> ExitCode {
        let home = try Connection.home(invocation)
        let output = Output(invocation)
        let installation = InstallationHome(path: home.path)
        guard exists(home.path) else {
            throw CommandFailure(.refused, "not_installed", "there is no \(home.path)")
        }
        let keepsData = invocation.has("keep-data")
        if !invocation.has("yes") {
            guard TerminalDevice.isInteractive, !output.isJSON else {
                throw CommandFailure(.refused, "confirmation_needed", "nobody is there to ask: uninstall --yes")
            }
            let what =
                keepsData
                ? "the installed versions in \(home.path); sessions and settings stay"
                : "\(home.path) with all sessions, settings and backups"
            TerminalDevice.write("This removes \(Sanitizer.cleanLine(what)).\nGo on? [y/N] ", to: STDERR_FILENO)
            guard let answer = TerminalDevice.readAnswer(), ["y", "yes"].contains(answer) else {
                output.print("Nothing was removed.\n")
                return .ok
            }
        }
        let wasRunning = home.isInUse
        try ServiceInstallation.removeBeforeUninstalling(home)
        let isStopped = try await AdministrationCommands.end(invocation) || wasRunning
        let result: Result<Void, ReleaseError> = await onThread {
            do throws(InstallationError) {
                let installer = try Installer(installation)
                try installer.uninstall(keepData: keepsData, links: ReleaseRun.links(invocation, installation))
                return .success(())
            } catch {
                return .failure(ReleaseError(code: error.code.rawValue, error.message))
            }
        }
        try releasing { () throws(ReleaseError) in try result.get() }
        if output.isJSON {
            output.print(json: [
                "event": "done", "uninstalled": true, "keptData": JSON(keepsData), "stopped": JSON(isStopped),
            ])
        } else {
            output.print(
                keepsData
                    ? StyledText("Removed. Sessions and settings are in \(home.path).\n") : "Removed, with all data.\n")
        }
        return .ok
    }
}
