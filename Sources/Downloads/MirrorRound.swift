import Base
import HTTP1

/// Gets the bytes of one file from whoever has them: tries mirrors in turn, goes on where the last one stopped, and finds
/// out which one lies.
final class MirrorRound {
    private struct Mirror {
        let location: Location
        /// Attempts that brought too little, one after the other.
        var failures = 0
        /// Why it isn't asked any more.
        var isOut = false
        var error: DownloadError?
        /// Strong, as its last answer said: what is asked for again has to be the same.
        var entityTag: String?
        /// Until it has shown that it can't send the rest of a file.
        var hasRanges = true
    }

    private var mirrors: [Mirror]
    private let part: PartFile
    private let size: Int
    private let sha256: [UInt8]
    private let requests: Requests
    private let limits: DownloadLimits
    private let patience: Patience
    private let progress: (DownloadProgress) -> Void
    private var lastProgress: Patience.Instant?

    private var current = 0
    /// Whose bytes the part has; nil when an earlier process or several mirrors have left some.
    private var giver: Int?
    private var isMixed: Bool
    /// Set when bytes of several turned out to be wrong: then each mirror has to give all of them.
    private var isWary = false
    /// The most bytes there ever were.
    private var best: Int
    private var rounds = 0

    init(
        _ locations: [Location], _ part: PartFile, size: Int, sha256: [UInt8], _ requests: Requests,
        _ limits: DownloadLimits, _ patience: Patience, _ progress: @escaping (DownloadProgress) -> Void
    ) {
        mirrors = locations.map { Mirror(location: $0) }
        self.part = part
        self.size = size
        self.sha256 = sha256
        self.requests = requests
        self.limits = limits
        self.patience = patience
        self.progress = progress
        isMixed = part.size > 0
        best = part.size
    }

    /// Returns when the part is whole and right.
    func run() throws(DownloadError) {
        while true {
            if part.size == size, try isRight() {
                report(isLast: true)
                return
            }
            try chooseMirror()
            do throws(DownloadError) {
                try attempt()
                try part.flush()
            } catch {
                // What came is kept, whatever happened.
                if error.code != .inputOutput { try part.flush() }
                try note(error)
            }
        }
    }

    // MARK: Choosing

    /// Stays with the mirror as long as it is worth it.
    private func chooseMirror() throws(DownloadError) {
        let mirror = mirrors[current]
        guard mirror.isOut || mirror.failures > 0 else { return }
        guard mirrors.contains(where: { !$0.isOut }) else { throw summary() }
        let before = current
        repeat { current = (current + 1) % mirrors.count } while mirrors[current].isOut
        guard current <= before, mirrors[current].failures > 0 else { return }
        let factor = 1 << min(rounds, 4)
        rounds += 1
        try patience.pause(limits.pause * factor)
    }

    private func note(_ error: DownloadError) throws(DownloadError) {
        guard error.reach != .all else { throw error }
        mirrors[current].error = error
        if part.size >= best + limits.worthwhileBytes {
            mirrors[current].failures = 0
        } else {
            mirrors[current].failures += 1
        }
        best = max(best, part.size)
        // Another one may be faster.
        if error.code == .timeout { mirrors[current].failures = max(1, mirrors[current].failures) }
        if error.reach == .mirror || mirrors[current].failures >= limits.attempts { mirrors[current].isOut = true }
    }

    /// Compares the sum. When it is wrong, the bytes are thrown away, and their giver with them if it was one alone.
    private func isRight() throws(DownloadError) -> Bool {
        if part.digest == sha256 { return true }
        if let giver, !isMixed {
            mirrors[giver].isOut = true
            mirrors[giver].error = DownloadError(
                .wrongSum, "\(mirrors[giver].location.name) has other bytes than it should: its SHA-256 is wrong")
        } else {
            isWary = true
        }
        try restart()
        best = 0
        return false
    }

    private func restart() throws(DownloadError) {
        try part.restart()
        isMixed = false
        giver = nil
    }

    private func summary() -> DownloadError {
        let errors = mirrors.compactMap(\.error)
        guard errors.count > 1 else { return errors[0] }
        let codes = errors.map(\.code)
        // What one says in plain words is more than that another can't be reached.
        let code = codes.first { $0 != .unreachable && $0 != .timeout } ?? codes[0]
        return DownloadError(
            code, "none of \(errors.count) mirrors has it: " + errors.map(\.message).joined(separator: "; "))
    }

    // MARK: An attempt

    private func attempt() throws(DownloadError) {
        let location = mirrors[current].location
        if isWary, giver != nil, giver != current { try restart() }
        guard location.scheme == .file else { return try request(location) }
        let source = try SourceFile(location)
        guard source.size == size else { throw wrongSize(location, source.size) }
        try source.read(from: part.size) { piece throws(DownloadError) in
            try patience.check()
            try take(piece, from: location)
        }
        guard part.size == size else { throw wrongSize(location, part.size) }
    }

    private func request(_ location: Location) throws(DownloadError) {
        let start = mirrors[current].hasRanges ? part.size : 0
        var headers = HTTPHeaders()
        if start > 0 {
            headers.append("range", "bytes=\(start)-")
            if let tag = mirrors[current].entityTag { headers.append("if-range", tag) }
        }
        // How long it may be is looked at here: what is too long for a part may be right for a whole.
        let answer = try requests.get(location, headers: headers, bodyLimit: .max >> 1, patience: patience)
        let tag = answer.head.headers["etag"]
        switch answer.head.status {
        case 200:
            if case .fixed(let length) = answer.head.body, length != size { throw wrongSize(location, length) }
            guard answer.head.body != .none else { throw wrongSize(location, 0) }
            // The whole file: a server that can't send a rest, or whose file is another one by now.
            if part.size > 0 { try restart() }
        case 206:
            guard start > 0, ContentRange(answer.head.headers)?.isRest(from: start, of: size, answer.head.body) == true
            else { throw cannotResume(location, "sends another part of the file than it was asked for") }
        case 416: throw cannotResume(location, "doesn't have as much of the file as it should")
        default:
            throw DownloadError(.badAnswer, "\(location.name) answers \(answer.head.status) instead of a file")
        }
        // A weak one says nothing about bytes.
        mirrors[current].entityTag = tag.flatMap { $0.hasPrefix("\"") ? $0 : nil }
        let hasOthers = mirrors.indices.contains { index in
            index != current && !mirrors[index].isOut && mirrors[index].error?.code != .timeout
        }
        try answer.readBody(minimumRate: hasOthers ? limits.minimumRate : nil) { piece throws(DownloadError) in
            try take(piece, from: location)
        }
        guard part.size < size else { return }
        // Without a length the end and a cut look alike.
        guard answer.head.body != .untilClose else {
            throw DownloadError(.unreachable, "the connection to \(location.name) was cut")
        }
        throw wrongSize(location, part.size)
    }

    private func take(_ piece: UnsafeRawBufferPointer, from location: Location) throws(DownloadError) {
        let due = UnsafeRawBufferPointer(rebasing: piece.prefix(size - part.size))
        if !due.isEmpty {
            if giver == nil, part.size == 0 { giver = current }
            if giver != current { isMixed = true }
            try part.append(due)
            report()
        }
        guard due.count == piece.count else {
            throw DownloadError(.wrongSize, "\(location.name) has more than the \(size) bytes that it should have")
        }
    }

    /// From now on this one is asked for the whole file.
    private func cannotResume(_ location: Location, _ what: String) -> DownloadError {
        mirrors[current].hasRanges = false
        return DownloadError(.badAnswer, "\(location.name) \(what)", reach: .attempt)
    }

    private func wrongSize(_ location: Location, _ bytes: Int) -> DownloadError {
        DownloadError(.wrongSize, "\(location.name) has \(bytes) bytes, and should have \(size)")
    }

    private func report(isLast: Bool = false) {
        guard isLast || lastProgress.map({ .now - $0 >= limits.progressInterval }) ?? true else { return }
        lastProgress = .now
        progress(DownloadProgress(received: part.size, total: size, source: mirrors[current].location))
    }
}

/// `bytes FIRST-LAST/SIZE` (RFC 9110 section 14.4).
struct ContentRange: Equatable {
    let first: Int
    let last: Int
    /// Nil for `*`.
    let size: Int?

    /// Nil when there is none that means something, or more than one.
    init?(_ headers: HTTPHeaders) {
        let values = headers.values("content-range")
        guard values.count == 1 else { return nil }
        let parts = values[0].split(separator: " ", omittingEmptySubsequences: false)
        guard parts.count == 2, parts[0].lowercased() == "bytes" else { return nil }
        let halves = parts[1].split(separator: "/", omittingEmptySubsequences: false)
        guard halves.count == 2 else { return nil }
        let ends = halves[0].split(separator: "-", omittingEmptySubsequences: false)
        guard ends.count == 2, let first = ContentRange.number(ends[0]), let last = ContentRange.number(ends[1]) else {
            return nil
        }
        (self.first, self.last) = (first, last)
        guard halves[1] != "*" else {
            size = nil
            return
        }
        guard let size = ContentRange.number(halves[1]) else { return nil }
        self.size = size
    }

    /// Whether it is all from `start` on of a file of `size` bytes, and the body is as long as that.
    func isRest(from start: Int, of size: Int, _ body: HTTPBodyLength) -> Bool {
        guard first == start, last == size - 1, self.size ?? size == size else { return false }
        if case .fixed(let length) = body { return length == size - start }
        return body != .none
    }

    private static func number(_ text: Substring) -> Int? {
        text.utf8.allSatisfy { (0x30...0x39).contains($0) } ? Int(text) : nil
    }
}
