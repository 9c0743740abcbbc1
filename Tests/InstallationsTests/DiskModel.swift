import Base
import Foundation
import Glibc
import TestSupport

/// What a loss of power may leave of a folder, on the weakest disk that keeps what fsync promises: the bytes of a file are
/// there once the file was synchronized, its names once their folder was. Whatever came later may be there or not, for each
/// file and each folder by itself. Only the changes of one folder keep their order, as every file system has it.
///
/// It is told what a process did by the lines of strace, with `-y -xx`.
final class DiskModel {
    private final class Node {
        enum Kind {
            case file(bytes: [UInt8], mode: mode_t, kept: [UInt8], keptMode: mode_t)
            /// - changes: those of its names since it was synchronized last, each with what it makes of them in one step.
            case folder(mode: mode_t, kept: [String: Node], changes: [[String: Node?]])
            case link(String)
        }
        var kind: Kind

        init(_ kind: Kind) { self.kind = kind }

        /// Those of a folder, after so many of the changes that aren't certain.
        func names(after count: Int = .max) -> [String: Node] {
            guard case .folder(_, var names, let changes) = kind else { return [:] }
            for change in changes.prefix(count) { for (name, node) in change { names[name] = node } }
            return names
        }
    }

    private let path: String
    private let root: Node

    /// - Parameter path: of a folder; what is in it is on the disk.
    init(_ path: String) throws {
        self.path = path
        root = try DiskModel.read(path)
    }

    private static func read(_ path: String) throws -> Node {
        var information = stat()
        guard lstat(path, &information) == 0 else { throw TestFailure("there is no \(path)") }
        let mode = information.st_mode & 0o777
        switch information.st_mode & S_IFMT {
        case S_IFDIR:
            var names: [String: Node] = [:]
            for name in folderEntries(path) ?? [] { names[name] = try read(path + "/" + name) }
            return Node(.folder(mode: mode, kept: names, changes: []))
        case S_IFLNK:
            return Node(.link(try FileManager.default.destinationOfSymbolicLink(atPath: path)))
        default:
            // Second names of one file are two files here, until one is made.
            let bytes = try readFile(path, limit: 1 << 26)
            return Node(.file(bytes: bytes, mode: mode, kept: bytes, keptMode: mode))
        }
    }

    // MARK: What was done

    /// - Returns: whether it changed something, or made something certain.
    @discardableResult
    func apply(_ line: Substring) throws -> Bool {
        guard let call = Call(line) else { return false }
        switch call.name {
        case "openat": return open(call)
        case "write": return change(call.file(0), { $0 += call.bytes(1) })
        case "ftruncate": return change(call.file(0), { $0 = Array($0.prefix(Int(call.arguments[1])!)) })
        case "fchmod": return setMode(call.file(0), call.arguments[1])
        case "chmod", "fchmodat": return setMode(call.path(), call.arguments.first { $0.hasPrefix("0") } ?? "")
        case "fsync", "fdatasync": return synchronize(call.file(0))
        case "mkdir", "mkdirat":
            let mode = mode_t(call.arguments.last!, radix: 8) ?? 0o700
            return name([(call.path(), Node(.folder(mode: mode, kept: [:], changes: [])))])
        case "symlink", "symlinkat":
            return name([(call.path(after: 1), Node(.link(String(decoding: call.bytes(0), as: UTF8.self))))])
        case "link", "linkat":
            guard let old = node(call.path()) else { return false }
            return name([(call.secondPath, old)])
        case "rename", "renameat", "renameat2":
            let (from, to) = (call.path(), call.secondPath)
            guard let old = node(from) else { return false }
            let isExchange = call.arguments.last!.contains("EXCHANGE")
            return name([(from, isExchange ? node(to) : nil), (to, old)])
        case "unlink", "unlinkat", "rmdir": return name([(call.path(), nil)])
        case "flock": return false
        default: throw TestFailure("the model of the disk doesn't know \(line.prefix(200))")
        }
    }

    private func open(_ call: Call) -> Bool {
        guard call.arguments.contains(where: { $0.contains("O_CREAT") }), node(call.result) == nil else { return false }
        let mode = mode_t(call.arguments.last!, radix: 8) ?? 0o600
        return name([(call.result, Node(.file(bytes: [], mode: mode, kept: [], keptMode: mode)))])
    }

    /// Changes of names in one folder are one step.
    private func name(_ changes: [(path: String, node: Node?)]) -> Bool {
        var steps: [(folder: Node, names: [String: Node?])] = []
        for (path, node) in changes where path.hasPrefix(self.path + "/") {
            let slash = path.lastIndex(of: "/")!
            guard let folder = self.node(String(path[..<slash])) else { continue }
            let name = String(path[path.index(after: slash)...])
            if let index = steps.firstIndex(where: { $0.folder === folder }) {
                steps[index].names.updateValue(node, forKey: name)
            } else {
                steps.append((folder, [name: node]))
            }
        }
        for (folder, names) in steps {
            guard case .folder(let mode, let kept, let before) = folder.kind else { continue }
            folder.kind = .folder(mode: mode, kept: kept, changes: before + [names])
        }
        return !steps.isEmpty
    }

    private func change(_ path: String, _ body: (inout [UInt8]) -> Void) -> Bool {
        guard let node = node(path), case .file(var bytes, let mode, let kept, let keptMode) = node.kind else {
            return false
        }
        body(&bytes)
        node.kind = .file(bytes: bytes, mode: mode, kept: kept, keptMode: keptMode)
        return true
    }

    private func setMode(_ path: String, _ text: String) -> Bool {
        guard let node = node(path), let mode = mode_t(text, radix: 8) else { return false }
        switch node.kind {
        case .file(let bytes, _, let kept, let keptMode):
            node.kind = .file(bytes: bytes, mode: mode, kept: kept, keptMode: keptMode)
        case .folder(_, let kept, let changes): node.kind = .folder(mode: mode, kept: kept, changes: changes)
        case .link: return false
        }
        return true
    }

    private func synchronize(_ path: String) -> Bool {
        guard let node = node(path) else { return false }
        switch node.kind {
        case .file(let bytes, let mode, _, _):
            node.kind = .file(bytes: bytes, mode: mode, kept: bytes, keptMode: mode)
        case .folder(let mode, _, _): node.kind = .folder(mode: mode, kept: node.names(), changes: [])
        case .link: return false
        }
        return true
    }

    private func node(_ path: String) -> Node? {
        guard path == self.path || path.hasPrefix(self.path + "/") else { return nil }
        var node = root
        for part in path.dropFirst(self.path.count).split(separator: "/") {
            guard let next = node.names()[String(part)] else { return nil }
            node = next
        }
        return node
    }

    // MARK: What is left

    /// Writes what is there after a loss of power now.
    func lose(using random: inout some RandomNumberGenerator) throws { try lose(root, path, &random) }

    private func lose(_ node: Node, _ path: String, _ random: inout some RandomNumberGenerator) throws {
        switch node.kind {
        case .link(let target): guard symlink(target, path) == 0 else { throw TestFailure("symlink \(path)") }
        case .file(let bytes, let mode, let kept, let keptMode):
            // All of it, none, or the first of the blocks.
            let isThere = Bool.random(using: &random)
            let found =
                isThere ? Array(bytes.prefix(max(kept.count, Int.random(in: 0...bytes.count, using: &random)))) : kept
            try Data(found).write(to: URL(fileURLWithPath: path))
            chmod(path, isThere ? mode : keptMode)
        case .folder(let mode, _, let changes):
            mkdir(path, 0o700)
            let count = Int.random(in: 0...changes.count, using: &random)
            for (name, child) in node.names(after: count).sorted(by: { $0.key < $1.key }) {
                try lose(child, path + "/" + name, &random)
            }
            chmod(path, mode)
        }
    }
}

/// A line of strace's that tells of a call that went well.
private struct Call {
    let name: Substring
    let arguments: [String]
    /// The file that was opened.
    let result: String

    init?(_ line: Substring) {
        // Everything that isn't strace's own is written as \xNN, so that brackets and commas are.
        guard let bracket = line.firstIndex(of: "("), line.first?.isLetter == true,
            let end = line.range(of: "\\) *= ", options: [.regularExpression, .backwards]),
            !line[end.upperBound...].hasPrefix("-1"), !line[end.upperBound...].hasPrefix("?")
        else { return nil }
        name = line[..<bracket]
        arguments = line[line.index(after: bracket)..<end.lowerBound].components(separatedBy: ", ")
        result = Call.decoded(between: "<", ">", of: String(line[end.upperBound...])) ?? ""
    }

    private static func decoded(between open: Character, _ close: Character, of text: String) -> String? {
        guard let from = text.firstIndex(of: open), let to = text.lastIndex(of: close), from < to else { return nil }
        return String(decoding: bytes(text[text.index(after: from)..<to]), as: UTF8.self)
    }

    private static func bytes(_ text: Substring) -> [UInt8] {
        text.components(separatedBy: "\\x").dropFirst().map { UInt8($0, radix: 16)! }
    }

    /// The file that a descriptor is of.
    func file(_ index: Int) -> String { Call.decoded(between: "<", ">", of: arguments[index]) ?? "" }

    func bytes(_ index: Int) -> [UInt8] {
        let text = arguments[index]
        guard let from = text.firstIndex(of: "\""), let to = text.lastIndex(of: "\"") else { return [] }
        return Call.bytes(text[text.index(after: from)..<to])
    }

    /// The first path from an argument on; a relative one counts from the descriptor before it.
    func path(after start: Int = 0) -> String { paths(start).first ?? "" }
    var secondPath: String { paths(0).dropFirst().first ?? "" }

    private func paths(_ start: Int) -> [String] {
        arguments.indices.dropFirst(start).filter { arguments[$0].hasPrefix("\"") }.map { index in
            let path = String(decoding: bytes(index), as: UTF8.self)
            return path.hasPrefix("/") ? path : file(index - 1) + "/" + path
        }
    }
}
