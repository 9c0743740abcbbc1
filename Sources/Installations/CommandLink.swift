import Base
import Glibc

/// The link by which a person calls the program of the version in force, in a folder of theirs.
package struct CommandLink {
    package enum Outcome: Equatable, Sendable {
        case made
        case wasThere
        /// Something that isn't ours has the name: it is left alone.
        case taken
    }

    /// Of the link.
    package let path: String
    private let home: InstallationHome

    /// - Parameter folder: absolute; `~/.local/bin` is the usual one.
    package init(_ home: InstallationHome, in folder: String = homeDirectory() + "/.local/bin") {
        self.home = home
        path = folder + "/codeai-hub"
    }

    /// What it leads to.
    package var target: String { home.currentLink + "/codeai-hub" }

    package func make() throws(InstallationError) -> Outcome {
        if exists(path) {
            guard let text else { return .taken }
            if text == target { return .wasThere }
            guard isOurs(text) else { return .taken }
        }
        try filing { () throws(SystemError) in try makeDirectories(parent(path)) }
        let temporary = "\(path).\(getpid()).new"
        unlink(temporary)
        guard symlink(target, temporary) == 0 else { throw InstallationError(.current("make the link \(path)")) }
        guard rename(temporary, path) == 0 else {
            let error = SystemError.current("make the link \(path)")
            unlink(temporary)
            throw InstallationError(error)
        }
        return .made
    }

    /// - Returns: whether there was one of ours.
    @discardableResult
    package func remove() throws(InstallationError) -> Bool {
        guard let text, isOurs(text) else { return false }
        try removeDurably(path)
        return true
    }

    /// What the link says; nil when it is none.
    private var text: String? {
        var buffer = [UInt8](repeating: 0, count: Int(PATH_MAX))
        let count = buffer.withUnsafeMutableBytes { bytes in
            readlink(path, bytes.baseAddress!.assumingMemoryBound(to: CChar.self), bytes.count)
        }
        return count > 0 ? String(decoding: buffer[..<count], as: UTF8.self) : nil
    }

    /// Whether there is a link into the versions of this home, whether or not it leads anywhere.
    package var isOurs: Bool { text.map(isOurs) ?? false }

    /// Into the versions of this home, whichever.
    private func isOurs(_ text: String) -> Bool {
        text.utf8.starts(with: (home.core + "/").utf8) && text.lastPathPart == "codeai-hub"
    }
}
