import Base
import Glibc
import JSON
import Processes

/// What is installed in a provider's folder: each installation in a tree of its own, `versions/<number>`, and the link
/// `current` that leads to the one in use.
///
/// A tree is made where it stays, so that what is in it may know its own path, and it counts for nothing until the
/// link leads to it. Whatever happens before, the old one is in use; and a tree that the link does not lead to is
/// rubbish as soon as no process runs from it, no matter how it came about.
struct InstalledVersions {
    /// `providers/<id>`.
    let folder: String

    /// In the environment of what is started from a tree: the tree, by which its processes are found.
    static let treeVariable = "CODEAI_HUB_TREE"
    /// Within a tree: what was installed and when.
    private static let descriptionFile = ".codeai-hub-install.json"

    private var versions: String { folder + "/versions" }
    var link: String { folder + "/current" }
    /// What `${install}` means while nothing is installed; there never is such a tree.
    var none: String { versions + "/none" }

    /// The tree in use, as an absolute path without links of ours; nil when nothing is installed here.
    var current: String? {
        var buffer = [UInt8](repeating: 0, count: 256)
        let count = buffer.withUnsafeMutableBytes {
            readlink(link, $0.baseAddress!.assumingMemoryBound(to: CChar.self), $0.count)
        }
        guard count > 0, count < buffer.count else { return nil }
        let target = String(decoding: buffer[..<count], as: UTF8.self)
        // Only what `use` has written: a link to anywhere else is not ours.
        guard target.hasPrefix("versions/"), Int(target.dropFirst(9)) != nil else { return nil }
        let tree = "\(folder)/\(target)"
        return isDirectory(tree) ? tree : nil
    }

    var description: JSONObject? {
        current.flatMap { try? readFile("\($0)/\(InstalledVersions.descriptionFile)", limit: 1 << 16) }
            .flatMap { (try? JSON.parse($0))?.objectValue }
    }

    /// All trees, in use or not.
    var all: [String] {
        ProviderFiles.names(in: versions).filter { Int($0) != nil }.map { "\(versions)/\($0)" }
    }

    /// The tree that a program lies in; nil when that is somewhere else.
    func tree(of program: String) -> String? {
        guard program.hasPrefix(versions + "/") else { return nil }
        let rest = program.dropFirst(versions.utf8.count + 1)
        return rest.firstIndex(of: "/").map { "\(versions)/\(rest[..<$0])" }
    }

    /// Makes an empty tree with a number that no other has.
    func makeTree() throws(SystemError) -> String {
        try makeDirectories(versions)
        // Whatever else lies there: what was installed may write where it is.
        let numbers = ProviderFiles.names(in: versions).compactMap { Int($0) }.filter { $0 < 1 << 40 }
        let tree = "\(versions)/\((numbers.max() ?? 0) + 1)"
        guard mkdir(tree, 0o700) == 0 else { throw .current("mkdir \(tree)") }
        return tree
    }

    /// Has the link lead to a tree, in one step: whoever looks finds the old one or the new one.
    func use(_ tree: String, _ description: JSONObject) throws(SystemError) {
        try writeFile("\(tree)/\(InstalledVersions.descriptionFile)", JSON.object(description).serialize())
        guard let slash = tree.lastIndex(of: "/") else { return }
        let temporary = link + ".new"
        unlink(temporary)
        guard symlink("versions" + tree[slash...], temporary) == 0 else { throw .current("symlink \(temporary)") }
        guard rename(temporary, link) == 0 else { throw .current("rename \(temporary)") }
    }

    /// Has nothing be in use.
    func useNothing() throws(SystemError) {
        guard unlink(link) == 0 || errno == ENOENT else { throw .current("unlink \(link)") }
    }

    /// Trees that are not in use and that no process runs from.
    /// - Parameter made: one that is being made.
    func rubbish(except made: String?) -> [String] {
        let current = current
        let candidates = all.filter { $0 != current && $0 != made }
        guard !candidates.isEmpty else { return [] }
        let processes = ProcessTable.snapshot()
        return candidates.filter { tree in
            processes.processes(from: tree, marked: InstalledVersions.treeVariable).isEmpty
        }
    }
}
