import Base
import Client
import Glibc
import Installations
import JSON

/// The versions that lie in the home, and which of them is in force.
extension Doctor {
    mutating func examineInstallation() {
        let installation = InstallationHome(path: home.path)
        guard let names = folderEntries(installation.folder(of: .core)),
            !names.isEmpty || installation.installed() != nil
        else {
            return add("installation", .ok, "none in this home: the programs are used from where they lie")
        }
        do throws(InstallationError) {
            try installation.requireTrusted()
        } catch {
            return add("installation", .problem, error.message, mend: "ls -ld \(quoted(installation.core))")
        }
        examineFiles(installation)
        examineState(installation)
        examineRemains(installation, names)
        examineLink(installation)
        guard !hasProblem("installation") else { return }
        let installed = installation.installed().map(\.description) ?? "none"
        let others = installation.versions().filter { $0 != installation.installed() }.map(\.description)
        add(
            "installation", .ok,
            "version \(installed) is in force, as it was installed"
                + (others.isEmpty ? "" : "; beside it \(others.joined(separator: ", "))"))
    }

    /// Every file of every version.
    private mutating func examineFiles(_ installation: InstallationHome) {
        let installed = installation.installed()
        for version in (folderEntries(installation.folder(of: .core)) ?? []).compactMap({ Version($0) }) {
            guard let flaws = try? installation.flaws(of: version), !flaws.isEmpty else { continue }
            let more = flaws.count > 3 ? " and \(flaws.count - 3) more" : ""
            add(
                "installation", version == installed ? .problem : .warning,
                "version \(version): \(flaws.prefix(3).joined(separator: ", "))\(more)",
                mend: "codeai-hub install --version \(version) replaces it")
        }
    }

    /// The file of versions, the link that follows it, the trial.
    private mutating func examineState(_ installation: InstallationHome) {
        var installed: Version?
        do throws(InstallationError) {
            installed = try VersionsFile(installation).version(of: .core)
        } catch {
            return add(
                "installation", .problem, error.message,
                mend: "codeai-hub doctor --fix puts it aside and takes the version that is there"
            ) { installation.settle() }
        }
        guard let installed else {
            return add(
                "installation", .warning, "\(installation.versionsFile) names no version of \"core\"",
                mend: "codeai-hub install"
            ) { installation.settle() && installation.installed() != nil }
        }
        if !exists(installation.folder(of: installed)) {
            add(
                "installation", .problem, "version \(installed) is in force and not there",
                mend: "codeai-hub rollback, or codeai-hub install"
            ) { installation.settle() && installation.installed() != installed }
        } else if installation.currentTarget != installed.description {
            add(
                "installation", .warning,
                "\(installation.currentLink) leads to \(installation.currentTarget ?? "nothing"), not to \(installed)",
                mend: "codeai-hub doctor --fix"
            ) { installation.settle() }
        }
        guard exists(installation.trialFile) else { return }
        guard let trial = installation.trial, trial.version == installed, trial.failure == nil else {
            return add(
                "installation", .warning, "an update, or the way back from one, was cut short",
                mend: "codeai-hub doctor --fix"
            ) { installation.settle() }
        }
        // It ends with 10 seconds of service: one that runs and is still on trial is not what is in force.
        let runs = status?["core"]?["version"]?.stringValue
        if let runs, runs != trial.version.description {
            add(
                "installation", .warning, "version \(trial.version) is in force and on trial, but \(runs) runs",
                mend: "codeai-hub restart")
        } else if trial.starts > 0 {
            add(
                "installation", .warning,
                "version \(trial.version) is on trial, was started \(trial.starts) times, and hasn't served for "
                    + "\(Trial.proof.components.seconds) s yet",
                mend: "codeai-hub start, and look again; or codeai-hub rollback")
        }
    }

    /// What was cut short has left.
    private mutating func examineRemains(_ installation: InstallationHome, _ names: [String]) {
        let left = names.filter { $0.hasPrefix(".staging-") || $0.hasPrefix(".removing-") }
        guard !left.isEmpty else { return }
        add(
            "installation", .warning,
            "something was half unpacked or half removed: \(left.joined(separator: ", "))",
            mend: "codeai-hub doctor --fix"
        ) { installation.settle() }
    }

    /// The person's own way to the program.
    private mutating func examineLink(_ installation: InstallationHome) {
        let link = CommandLink(installation)
        guard link.isOurs, access(link.path, X_OK) != 0 else { return }
        add(
            "installation", .warning, "\(link.path) leads to nothing",
            mend: "rm \(quoted(link.path)), or codeai-hub install"
        ) { (try? link.remove()) == true }
    }
}

extension InstallationHome {
    /// Not while an installation is running: that one settles for itself.
    fileprivate func settle() -> Bool { (try? Installer(self).settle()) != nil }
}
