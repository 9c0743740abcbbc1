package import Base
package import JSON

/// Something found wrong in a log, and what became of it.
package struct RecoveryReport: Equatable, Sendable {
    package enum Finding: String, Sendable {
        /// The last line had no end: cut off, kept beside.
        case tornTail = "torn_tail"
        /// A line in the middle is no record: copied to the quarantine, left in place, skipped ever after.
        case damagedLine = "damaged_line"
        /// A number seen before, or going backward: as a damaged line.
        case sequence
        /// Numbers that no line has. Nothing to be done.
        case gap
        /// No readable header: the file is left untouched, the session isn't listed.
        case unreadable
        /// Not a regular file of ours: left untouched.
        case untrustedFile = "untrusted_file"
        /// While the log was open, something else took bytes from its end: events are missing.
        case cutShort = "cut_short"
        /// While the log was open, something else removed or replaced its file: it was written again.
        case removed
        /// While the log was open, something else added bytes: they were cut off.
        case added
        /// The index was missing lines or damaged: rebuilt from the logs.
        case index
    }

    package var sessionId: String
    package var finding: Finding
    package var offset: Int
    package var bytes: Int
    package var detail: String
    /// The file that holds a copy of what was found.
    package var keptIn: String?
    package var foundAt: Timestamp

    package var json: JSONObject {
        var object: JSONObject = [
            "sessionId": JSON(sessionId), "finding": JSON(finding.rawValue), "offset": JSON(offset),
            "bytes": JSON(bytes), "detail": JSON(detail), "foundAt": JSON(foundAt.description),
        ]
        object["keptIn"] = keptIn.map { JSON($0) }
        return object
    }
}
