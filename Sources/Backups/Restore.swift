package import Archives
package import Base
import Glibc
import JSON

/// Puts a backup in the place of what a home has.
///
/// It is unpacked and checked beside, in `backups/restore-<time>/new`; nothing is touched before. Then a journal is
/// written, `core/restore.json`, and each item is moved: the old one to `backups/restore-<time>/before`, the new one to
/// its place. Cut short before the journal is there, everything is as it was; after it, the next restore or the next
/// start of the daemon goes on to the end.
package struct Restore {
    package let home: String
    package var limits = TarReader.Limits()
    /// Told how many bytes of the archive were read.
    package var onProgress: (Int) -> Void = { _ in }
    /// Before each step that changes something; tests end it there.
    package var onStep: (Int) throws(ArchiveError) -> Void = { _ in }

    package init(home: String) { self.home = home }

    /// - Returns: what is there now, and the folder that has what was there before.
    /// - Throws: `refused` while a daemon runs; `damaged`, `unsafe`, `tooLarge`: nothing has changed then.
    package func run(_ archive: String, now: Timestamp = .now) throws(ArchiveError) -> (
        manifest: BackupManifest, before: String
    ) {
        let lock = try HomeLock(home: home)
        defer { withExtendedLifetime(lock) {} }
        try Restore.finish(home, onStep)
        removeRubbish()
        let folder = "backups/restore-" + now.description.filter { $0 != ":" && $0 != "-" }
        let path = home + "/" + folder
        try filing { () throws(SystemError) in try makeDirectories(path + "/new") }
        let manifest: BackupManifest
        do throws(ArchiveError) {
            try onStep(0)
            manifest = try BackupReader.unpack(archive, into: path + "/new", limits: limits, onProgress: onProgress)
        } catch {
            removeTree(path)
            throw error
        }
        // What was unpacked must be on the disk before anything of old is moved.
        sync()
        try onStep(1)
        let journal = RestoreJournal(folder: folder, items: items(manifest))
        try filing { () throws(SystemError) in try writeFile(home + RestoreJournal.place, journal.json.serialize()) }
        try? synchronize(folder: home + "/core")
        try Restore.finish(home, onStep)
        return (manifest, path + "/before")
    }

    /// Everything that the backup has or could have.
    private func items(_ manifest: BackupManifest) -> [RestoreJournal.Item] {
        let paths = Set(manifest.files.map(\.path))
        let current = (folderEntries(home + "/providers") ?? []).map { "providers/\($0)/module.json" }
            .filter { BackupLayout.isManifest($0) && exists(home + "/" + $0) }
        let manifests = Set(current).union(paths.filter(BackupLayout.isManifest)).sorted()
        return (BackupLayout.items + manifests).map { item in
            RestoreJournal.Item(
                path: item,
                isNew: item == "sessions" ? paths.contains { $0.hasPrefix("sessions/") } : paths.contains(item))
        }
    }

    /// What restores that were cut short have unpacked in vain.
    private func removeRubbish() {
        for name in folderEntries(home + "/backups") ?? [] where name.hasPrefix("restore-") {
            removeTree("\(home)/backups/\(name)/new")
            // Unless something of old is in it.
            rmdir("\(home)/backups/\(name)")
        }
    }

    // MARK: The switch

    /// Goes on with a restore that was cut short, if one was. To be called before anything of the home is read.
    /// - Returns: whether there was one.
    /// - Throws: `refused` when somebody holds the home's lock, `inputOutput`.
    @discardableResult
    package static func finishInterrupted(home: String) throws(ArchiveError) -> Bool {
        guard exists(home + RestoreJournal.place) else { return false }
        let lock = try HomeLock(home: home)
        defer { withExtendedLifetime(lock) {} }
        try finish(home, { _ in })
        return true
    }

    private static func finish(_ home: String, _ onStep: (Int) throws(ArchiveError) -> Void) throws(ArchiveError) {
        guard exists(home + RestoreJournal.place) else { return }
        let bytes = try filing { () throws(SystemError) in try readFile(home + RestoreJournal.place) }
        guard let json = try? JSON.parse(bytes), let journal = RestoreJournal(json) else {
            throw ArchiveError(.damaged, "\(home + RestoreJournal.place) makes no sense: look at backups and remove it")
        }
        var step = 2
        for item in journal.items {
            try onStep(step)
            try putAside(item, journal, home)
            try onStep(step + 1)
            try putInPlace(item, journal, home)
            step += 2
        }
        for item in journal.items { try? synchronize(folder: (home + "/" + item.path).parentPath ?? home) }
        try onStep(step)
        guard unlink(home + RestoreJournal.place) == 0 else {
            throw ArchiveError(.current("unlink \(home + RestoreJournal.place)"))
        }
        try? synchronize(folder: home + "/core")
        removeTree("\(home)/\(journal.folder)/new")
    }

    /// The old one goes, unless it has gone and what is there is new.
    private static func putAside(_ item: RestoreJournal.Item, _ journal: RestoreJournal, _ home: String)
        throws(ArchiveError)
    {
        let place = home + "/" + item.path
        let new = "\(home)/\(journal.folder)/new/\(item.path)"
        let before = "\(home)/\(journal.folder)/before/\(item.path)"
        guard exists(place), !item.isNew || exists(new) else { return }
        guard !exists(before) else {
            // Made again in between, by a program that wants it to be there: nothing is in it.
            if rmdir(place) == 0 { return }
            var number = 2
            while exists("\(before).\(number)") { number += 1 }
            return try move(place, to: "\(before).\(number)")
        }
        try filing { () throws(SystemError) in try makeDirectories(before.parentPath ?? home) }
        try move(place, to: before)
    }

    private static func putInPlace(_ item: RestoreJournal.Item, _ journal: RestoreJournal, _ home: String)
        throws(ArchiveError)
    {
        let new = "\(home)/\(journal.folder)/new/\(item.path)"
        guard item.isNew, exists(new) else { return }
        try filing { () throws(SystemError) in try makeDirectories((home + "/" + item.path).parentPath ?? home) }
        try move(new, to: home + "/" + item.path)
    }
}

/// What a restore has decided to do.
struct RestoreJournal {
    static let place = "/core/restore.json"

    struct Item {
        var path: String
        /// Whether the backup has it; else what is there goes, and nothing takes its place.
        var isNew: Bool
    }

    /// Below the home.
    var folder: String
    var items: [Item]

    init(folder: String, items: [Item]) {
        self.folder = folder
        self.items = items
    }

    var json: JSON {
        [
            "schema": 1, "folder": JSON(folder),
            "items": .array(items.map { ["path": JSON($0.path), "new": JSON($0.isNew)] }),
        ]
    }

    /// Nil when it names something that isn't a restore's to move.
    init?(_ json: JSON) {
        guard let folder = json["folder"]?.stringValue, folder.hasPrefix("backups/restore-"),
            folder.pathParts.count == 2, !folder.contains(text: ".."),
            let entries = json["items"]?.arrayValue
        else { return nil }
        self.folder = folder
        items = []
        for entry in entries {
            guard let path = entry["path"]?.stringValue, let isNew = entry["new"]?.boolValue,
                BackupLayout.items.contains(path) || BackupLayout.isManifest(path)
            else { return nil }
            items.append(Item(path: path, isNew: isNew))
        }
    }
}
