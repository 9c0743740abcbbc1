package import Archives
package import Base
import Glibc

/// Why something of an installation can't be done. What was installed before works on.
package struct InstallationError: Error, Equatable, Sendable, CustomStringConvertible {
    /// The raw values are the codes that programs are told.
    package enum Code: String, Sendable {
        /// Another process installs into this home.
        case installRunning = "install_running"
        /// A daemon runs on this home.
        case daemonRuns = "daemon_runs"
        /// The home, or what is in it, belongs to somebody else, or others may write there.
        case homeNotTrusted = "home_not_trusted"
        /// It is the folder of other things, too.
        case homeShared = "home_shared"
        /// This user may not write there.
        case notPermitted = "not_permitted"
        case readOnly = "read_only"
        case diskFull = "disk_full"
        /// A limit on the size of files.
        case fileTooLarge = "file_too_large"
        /// The disk, or anything else of the system.
        case inputOutput = "input_output"
        /// Other bytes than were announced.
        case wrongSize = "package_wrong_size"
        case wrongSum = "package_wrong_sum"
        case packageDamaged = "package_damaged"
        /// Something in it must not be unpacked.
        case packageUnsafe = "package_unsafe"
        case packageTooLarge = "package_too_large"
        /// Not what an installation needs is in it.
        case packageIncomplete = "package_incomplete"
        /// The new version doesn't run here, is another one, or can't use the configuration.
        case preflightFailed = "preflight_failed"
        /// There is no such version in this home.
        case notInstalled = "not_installed"
        /// Its files aren't what was installed.
        case damaged = "installation_damaged"
        /// A process runs from it.
        case inUse = "version_in_use"
        /// There is no version to go back to.
        case noPrevious = "no_previous_version"
    }

    package let code: Code
    /// For a person: what happened, and what can be done.
    package let message: String

    package init(_ code: Code, _ message: String) {
        self.code = code
        self.message = message
    }

    package init(_ error: SystemError) {
        let code: Code =
            switch error.errno {
            case ENOSPC, EDQUOT: .diskFull
            case EROFS: .readOnly
            case EACCES, EPERM: .notPermitted
            case EFBIG: .fileTooLarge
            default: .inputOutput
            }
        let hint: String =
            switch code {
            case .diskFull: "the disk is full: make room and try again"
            case .readOnly: "the file system can't be written to"
            case .notPermitted: "this user may not write there"
            case .fileTooLarge: "a limit on the size of files (ulimit -f) is in the way"
            default: "the system refused"
            }
        self.init(code, "\(hint) (\(error))")
    }

    package init(_ error: ArchiveError) {
        let code: Code =
            switch error.code {
            case .damaged: .packageDamaged
            case .unsafe: .packageUnsafe
            case .tooLarge: .packageTooLarge
            case .refused, .inputOutput: .inputOutput
            }
        self.init(code, error.message)
    }

    package var description: String { message }
}

/// Runs what fails with an error of the system.
func filing<Value>(_ body: () throws(SystemError) -> Value) throws(InstallationError) -> Value {
    do throws(SystemError) { return try body() } catch { throw InstallationError(error) }
}
