package import Base
package import HubProtocol
package import JSON

/// A session that a provider's program keeps by itself, as a look at its file tells.
package struct ArchivedSession: Equatable, Sendable {
    package var nativeSessionId: String
    /// Given by the person or the program; nil when there is none.
    package var title: String?
    /// The beginning of the first thing the person said, at most 200 characters.
    package var firstPrompt: String?
    /// The folder it was about, absolute.
    package var workspace: String
    package var createdAt: Timestamp
    /// The file's last change.
    package var updatedAt: Timestamp
    /// Of the file.
    package var bytes: Int
    /// The version of the program that began it.
    package var version: String?
    /// Why it can be listed but not read.
    package var problem: String?

    package init(
        nativeSessionId: String, title: String? = nil, firstPrompt: String? = nil, workspace: String,
        createdAt: Timestamp, updatedAt: Timestamp, bytes: Int, version: String? = nil, problem: String? = nil
    ) {
        self.nativeSessionId = nativeSessionId
        self.title = title
        self.firstPrompt = firstPrompt
        self.workspace = workspace
        self.createdAt = createdAt
        self.updatedAt = updatedAt
        self.bytes = bytes
        self.version = version
        self.problem = problem
    }
}

/// What a line of an archived session comes to.
package enum ArchivedEvent: Equatable, Sendable {
    /// The person said something, and with it a turn began.
    case prompt(text: String, nativeId: String?)
    /// The program did. Turns end by `turnCompleted`, those that nobody sent begin by `turnStarted`.
    case event(NormalizedEvent)
}

/// Turns the lines of one session's file into events. Pure but for what belongs to the session in other files.
///
/// No line, however odd, ends the reading: what is not understood becomes `custom`; what carries nothing for a reader is
/// counted in `skipped`.
package protocol ArchiveReader {
    /// Takes the next line.
    mutating func read(_ line: LineSplitter.Line, _ emit: (Timestamp?, ArchivedEvent) -> Void)
    /// The file has ended: closes what is open.
    mutating func finish(_ emit: (Timestamp?, ArchivedEvent) -> Void)
    /// The last title, when the lines have one.
    var title: String? { get }
    /// The model that answered last.
    var model: String? { get }
    /// Lines that were left out, by their type.
    var skipped: [String: Int] { get }
}

/// The sessions that a provider's program keeps by itself. Used on a thread that may wait for the disk.
///
/// A session is found by its identifier, never by a path; symbolic links below the archive's folder are not followed,
/// and only regular files of this user are read.
package protocol SessionArchive: Sendable {
    /// The newest sessions, by the last change of their files.
    func list(limit: Int) -> [ArchivedSession]
    /// Nil when there is none of that identifier.
    func open(_ nativeSessionId: String) throws(Failure) -> OpenedArchive?
}

/// One archived session, opened.
package struct OpenedArchive: ~Copyable {
    package let session: ArchivedSession
    /// At its start; closed with the value.
    package let file: ArchiveFile
    package var reader: any ArchiveReader

    package init(session: ArchivedSession, file: consuming ArchiveFile, reader: any ArchiveReader) {
        self.session = session
        self.file = file
        self.reader = reader
    }
}

extension ArchivedSession {
    /// The most characters of `firstPrompt` and `title`.
    package static let textLimit = 200

    /// One line for a list: white space joined, control characters left out.
    package static func line(_ text: String) -> String? {
        var line = String.UnicodeScalarView()
        var count = 0
        for scalar in text.unicodeScalars.prefix(4096) {
            let isSpace = scalar.properties.isWhitespace
            if isSpace, line.isEmpty || line.last == " " { continue }
            if !isSpace, scalar.properties.generalCategory == .control { continue }
            line.append(isSpace ? " " : scalar)
            count += 1
            if count == textLimit { break }
        }
        while line.last == " " { line.removeLast() }
        return line.isEmpty ? nil : String(line)
    }

    package var json: JSONObject {
        var object: JSONObject = ["nativeSessionId": JSON(nativeSessionId)]
        object["title"] = title.map { JSON($0) } ?? .null
        object["firstPrompt"] = firstPrompt.map { JSON($0) } ?? .null
        object["workspace"] = JSON(workspace)
        object["createdAt"] = JSON(createdAt.description)
        object["updatedAt"] = JSON(updatedAt.description)
        object["bytes"] = JSON(bytes)
        object["version"] = version.map { JSON($0) }
        object["problem"] = problem.map { JSON($0) }
        return object
    }
}

/// Whether a text is a UUID as programs write it: 32 hexadecimal digits in five groups.
package func isUUID(_ text: some StringProtocol) -> Bool {
    let bytes = Array(text.utf8)
    guard bytes.count == 36 else { return false }
    return bytes.indices.allSatisfy { index in
        switch index {
        case 8, 13, 18, 23: bytes[index] == UInt8(ascii: "-")
        default:
            switch bytes[index] {
            case 0x30...0x39, 0x41...0x46, 0x61...0x66: true
            default: false
            }
        }
    }
}
