import Base
import CLinux
import Glibc
import JSON

/// Changes what is installed in a home. Nobody else does so as long as it lives.
///
/// Whatever ends it, and whenever: the version that was in force before is, or the new one, and both are whole. What is
/// left behind the next `settle` puts in order.
package final class Installer {
    /// What it is about to do.
    package enum Step: Equatable, Sendable {
        /// - done: bytes of the package that were read.
        case unpacking(Component, Version, done: Int, of: Int)
        case preflight(Version)
        case switching(Component, from: Version?, to: Version)
        case goingBack(from: Version, to: Version, reason: String)
        case removing(Component, Version)
    }

    package let home: InstallationHome
    package var onStep: (Step) -> Void = { _ in }
    /// Tests have the disk fill up only when files are written.
    var checksRoom = true
    private let lock: InstallLock

    /// Left free on the disk beside what is installed.
    package static let reservedBytes = 64 << 20

    /// - Throws: `homeNotTrusted`, `installRunning`, and what the system says of a home that can't be written.
    package init(_ home: InstallationHome) throws(InstallationError) {
        self.home = home
        // A limit on the size of files is an error, not the end of this process.
        signal(SIGXFSZ, SIG_IGN)
        try home.requireTrusted()
        try filing { () throws(SystemError) in try makeDirectories(home.folder(of: .core)) }
        try home.requireTrusted()
        lock = try InstallLock(home)
    }

    // MARK: Unpacking

    /// Whether there is room for a package: what is still to be fetched of it, what it unpacks to, and a reserve.
    ///
    /// - Parameters:
    ///   - download: bytes that are still to be fetched.
    ///   - unpacked: bytes that come into being; nil when that wasn't announced: taken to be four times the package.
    /// - Throws: `diskFull`, which says how much is missing.
    package func requireRoom(download: Int, package size: Int, unpacked: Int?) throws(InstallationError) {
        var information = statvfs()
        guard statvfs(home.folder(of: .core), &information) == 0 else {
            throw InstallationError(.current("look at the disk of \(home.path)"))
        }
        let free = Int(clamping: information.f_bavail).multipliedReportingOverflow(by: Int(information.f_frsize))
        let need = download + (unpacked ?? 4 * size) + Installer.reservedBytes
        guard !free.overflow, free.partialValue < need else { return }
        throw InstallationError(
            .diskFull,
            "\(free.partialValue >> 20) MiB are free for \(home.path), and \(need >> 20) MiB are needed: make room and try again"
        )
    }

    /// Has a version of a package beside those that are there. Nothing of it is in force by that.
    ///
    /// - Returns: whether it was unpacked; false when it was there already, as the package has it.
    /// - Throws: `wrongSize`, `wrongSum`, `packageDamaged`, `packageUnsafe`, `packageTooLarge`, `packageIncomplete`,
    ///   `diskFull` and what else the system says, `inUse`: nothing has changed then.
    @discardableResult
    package func unpack(_ package: Package) throws(InstallationError) -> Bool {
        let folder = home.folder(of: package.version, package.component)
        if exists(folder) {
            let isSame =
                home.record(of: package.version, package.component)?.sha256 == hexadecimal(package.sha256)
                && (try? home.flaws(of: package.version, package.component)) == []
            if isSame { return false }
            try requireUnused(package.version, package.component)
        }
        try requireSize(package)
        if checksRoom { try requireRoom(download: 0, package: package.size, unpacked: package.unpackedSize) }
        let parent = home.folder(of: package.component)
        try filing { () throws(SystemError) in try makeDirectories(parent) }
        let staging = "\(parent)/.staging-\(package.version)"
        removeTree(staging)
        guard mkdir(staging, 0o700) == 0 else { throw InstallationError(.current("make the folder \(staging)")) }
        do throws(InstallationError) {
            try fill(staging, package)
            try place(staging, as: folder)
        } catch {
            removeTree(staging)
            throw error
        }
        return true
    }

    private func requireSize(_ package: Package) throws(InstallationError) {
        var information = stat()
        guard stat(package.file, &information) == 0 else {
            throw InstallationError(.current("look at \(package.file)"))
        }
        guard information.st_mode & S_IFMT == S_IFREG, Int(information.st_size) == package.size else {
            throw InstallationError(
                .wrongSize,
                "\(package.name) has \(information.st_size) bytes, not the announced \(package.size): it is not whole")
        }
    }

    private func fill(_ staging: String, _ package: Package) throws(InstallationError) {
        let files = try Unpacker.unpack(package, into: staging) { done in
            onStep(.unpacking(package.component, package.version, done: done, of: package.size))
        }
        let record = InstallRecord(
            component: package.component, version: package.version, platform: home.platform, package: package.name,
            size: package.size, sha1: package.sha1.map { hexadecimal($0) } ?? "",
            sha256: hexadecimal(package.sha256), unpackedSize: files.reduce(0) { $0 + $1.size },
            source: package.source, signedBy: package.signedBy, installedAt: .now, files: files)
        try filing { () throws(SystemError) in
            try makeFile(staging + "/" + InstallRecord.name, record.json.serialize() + [0x0a], mode: 0o644)
            guard chmod(staging, 0o755) == 0 else { throw .current("chmod \(staging)") }
            try synchronize(folder: staging)
        }
    }

    /// The version exists from here on, whole.
    private func place(_ staging: String, as folder: String) throws(InstallationError) {
        if rename(staging, folder) != 0 {
            guard errno == ENOTEMPTY || errno == EEXIST else {
                throw InstallationError(.current("rename \(staging) to \(folder)"))
            }
            // A damaged one goes in the same step in which the whole one comes.
            if clinux_exchange(staging, folder) != 0 {
                let aside = Installer.aside(folder)
                removeTree(aside)
                guard rename(folder, aside) == 0, rename(staging, folder) == 0 else {
                    throw InstallationError(.current("rename \(staging) to \(folder)"))
                }
                removeTree(aside)
            }
            removeTree(staging)
        }
        try filing { () throws(SystemError) in
            // The folders on the way to it may be as new.
            var above = parent(folder)
            while above.utf8.count >= home.path.utf8.count {
                try synchronize(folder: above)
                above = parent(above)
            }
        }
    }

    /// Where a version's folder lies while it is removed.
    static func aside(_ folder: String) -> String {
        "\(parent(folder))/.removing-\(folder.lastPathPart)"
    }

    // MARK: Trying

    /// Runs both programs of an unpacked version, before it is put in force: they must say that they are this version, and
    /// be able to use the configuration of this home.
    /// - Parameter patience: for each of the three runs.
    /// - Throws: `preflightFailed`.
    package func preflight(_ version: Version, patience: Duration = .seconds(10)) throws(InstallationError) {
        onStep(.preflight(version))
        try Preflight(home: home, version: version, patience: patience).run()
    }

    // MARK: What runs

    /// The processes of this user that run a program of a version.
    package func processes(of version: Version, _ component: Component = .core) -> [Int32] {
        var folder = home.folder(of: version, component)
        if let real = realpath(folder, nil) {
            folder = String(cString: real)
            free(real)
        }
        return runningPrograms().filter { $0.program.utf8.starts(with: (folder + "/").utf8) }.map(\.pid)
    }

    /// But for this process: it may well be a program of the version that it mends.
    func requireUnused(_ version: Version, _ component: Component) throws(InstallationError) {
        guard let pid = processes(of: version, component).first(where: { $0 != getpid() }) else { return }
        throw InstallationError(
            .inUse, "process \(pid) runs from version \(version): stop it first (codeai-hub stop), then try again")
    }
}

/// What processes of this user run, as far as the kernel tells.
private func runningPrograms() -> [(pid: pid_t, program: String)] {
    var buffer = [UInt8](repeating: 0, count: Int(PATH_MAX))
    return (folderEntries("/proc") ?? []).compactMap { pid_t($0) }.compactMap { pid in
        let count = buffer.withUnsafeMutableBytes { bytes in
            readlink("/proc/\(pid)/exe", bytes.baseAddress!.assumingMemoryBound(to: CChar.self), bytes.count)
        }
        return count > 0 ? (pid, String(decoding: buffer[..<count], as: UTF8.self)) : nil
    }
}
