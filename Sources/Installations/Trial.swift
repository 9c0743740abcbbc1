package import Base
import Glibc
package import JSON

/// `core/trial.json`: a version of the core that is in force and has not shown yet that it works. It is written before that
/// version comes into force, says which one to go back to, and goes when the version is confirmed or has been left again.
///
/// While it says why the version failed, it is the journal of going back: whoever finds it so goes on with that.
package struct Trial: Equatable, Sendable {
    package struct Failure: Equatable, Sendable {
        package var reason: String
        package var at: Timestamp
    }

    package var version: Version
    /// The one to go back to.
    package var previous: Version
    /// How often a daemon of this version has begun.
    package var starts = 0
    package var since: Timestamp
    /// Nil while it is tried.
    package var failure: Failure?

    /// More starts than this without good service, and it is left.
    package static let mostStarts = 3
    /// After so long a service is good.
    package static let proof = Duration.seconds(10)

    package init(version: Version, previous: Version, since: Timestamp) {
        self.version = version
        self.previous = previous
        self.since = since
    }

    init?(_ json: JSON) {
        guard json["schema"]?.intValue == 1, json["component"] == "core",
            let version = json["version"]?.stringValue.flatMap({ Version($0) }),
            let previous = json["previous"]?.stringValue.flatMap({ Version($0) }), version != previous,
            let since = json["since"]?.stringValue.flatMap({ Timestamp($0) })
        else { return nil }
        self.init(version: version, previous: previous, since: since)
        starts = min(max(0, json["starts"]?.intValue ?? 0), 1000)
        if let failed = json["failed"], let at = failed["at"]?.stringValue.flatMap({ Timestamp($0) }) {
            failure = Failure(reason: failed["reason"]?.stringValue ?? "", at: at)
        }
    }

    package var json: JSON {
        var object: JSONObject = [
            "schema": 1, "component": "core", "version": JSON(version.description),
            "previous": JSON(previous.description), "starts": JSON(starts), "since": JSON(since.description),
        ]
        object["failed"] = failure.map { ["reason": JSON($0.reason), "at": JSON($0.at.description)] }
        return .object(object)
    }

    /// Nil when there is none, or what is there makes no sense.
    static func read(_ home: InstallationHome) -> Trial? {
        guard let bytes = try? readFile(home.trialFile, limit: 64 << 10), let json = try? JSON.parse(bytes) else {
            return nil
        }
        return Trial(json)
    }

    func write(_ home: InstallationHome) throws(InstallationError) { try replaceDurably(home.trialFile, json) }
}

// MARK: Steps; all of them to be taken while the state is changed by nobody else

extension InstallationHome {
    /// Puts a version of the core in force: the file that says so first, since it is the truth, then the link that follows it.
    func putInForce(_ version: Version) throws(InstallationError) {
        try VersionsFile(self).set(.core, version)
        try pointCurrent(at: version)
    }

    /// Has `current` lead to a version, in one step.
    func pointCurrent(at version: Version) throws(InstallationError) {
        guard currentTarget != version.description else { return }
        let temporary = folder(of: .core) + "/.staging-current"
        unlink(temporary)
        guard symlink(version.description, temporary) == 0 else {
            throw InstallationError(.current("make the link \(temporary)"))
        }
        guard rename(temporary, currentLink) == 0 else {
            throw InstallationError(.current("rename \(temporary) to \(currentLink)"))
        }
        try filing { () throws(SystemError) in try synchronize(folder: folder(of: .core)) }
    }

    /// What `current` says; nil when it is no link.
    package var currentTarget: String? {
        var buffer = [UInt8](repeating: 0, count: 256)
        let count = buffer.withUnsafeMutableBytes { bytes in
            readlink(currentLink, bytes.baseAddress!.assumingMemoryBound(to: CChar.self), bytes.count)
        }
        return count > 0 ? String(decoding: buffer[..<count], as: UTF8.self) : nil
    }

    /// Leaves a version that failed, from wherever that was cut short before.
    /// - Parameter trial: has a failure, and is written.
    func finishGoingBack(_ trial: Trial) throws(InstallationError) {
        guard let failure = trial.failure else { return }
        try putInForce(trial.previous)
        try History(self).add(
            HistoryEntry(
                .core, trial.previous, from: trial.version, at: failure.at, .rolledBack, reason: failure.reason))
        report(trial, failure)
        try removeDurably(trialFile)
    }

    /// For whoever wants to know later; nothing hangs on it. What the daemon logged is in the report of its own end.
    private func report(_ trial: Trial, _ failure: Trial.Failure) {
        let path = "\(path)/logs/crash-\(failure.at.description.filter { $0 != ":" && $0 != "-" }).json"
        guard !exists(path) else { return }
        let report: JSON = [
            "foundAt": JSON(failure.at.description), "version": JSON(trial.version.description),
            "rolledBackTo": JSON(trial.previous.description), "onTrialSince": JSON(trial.since.description),
            "starts": JSON(trial.starts), "signal": .null, "reason": JSON(failure.reason),
        ]
        try? makeDirectories(parent(path))
        try? writeFile(path, report.serialize() + [0x0a])
    }

    /// The version on trial works.
    func endTrial(_ trial: Trial, now: Timestamp) throws(InstallationError) {
        // Cut short between the two, it was confirmed already.
        let isKnown = history.last { $0.component == .core }.map {
            $0.version == trial.version && $0.result == .confirmed
        }
        if isKnown != true {
            try History(self).add(
                HistoryEntry(.core, trial.version, from: trial.previous, at: now, .confirmed))
        }
        try removeDurably(trialFile)
    }
}
