import Base
import EventLog
import EventLoop
import Glibc
import HubProtocol

/// The thread that reads logs, keeps the index and searches it. Its jobs are short: a search waits for one of them.
///
/// Everything but `submit` and `end` belongs to that thread.
final class SearchWorker: @unchecked Sendable {
    let thread: EventLoop
    private let path: String
    private let logs: String
    private let scan: LogScan
    private let limit = StatementLimit()
    private var store: SearchStore?

    /// Documents removed, and pages merged, in one job.
    private static let removedAtOnce = 500
    private static let pagesAtOnce = 500

    /// - Parameters:
    ///   - path: the index's file.
    ///   - logs: the folder of the logs.
    init(path: String, logs: String, textLimit: Int, fileSystem: any LogFileSystem) throws(SystemError) {
        self.path = path
        self.logs = logs
        scan = LogScan(fileSystem: fileSystem, textLimit: textLimit)
        thread = try EventLoop.startThread(name: "search")
        thread.submit {
            // Linux knows this of each thread: agents and the loop come first.
            setpriority(Int32(PRIO_PROCESS.rawValue), 0, 10)
        }
    }

    func submit(_ job: @escaping @Sendable (SearchWorker) -> Void) {
        thread.submit { [self] in job(self) }
    }

    /// Ends what runs, closes the index, ends the thread. From the owner's thread.
    func end() {
        limit.cancel()
        thread.submit { [self] in
            close()
            thread.stop()
        }
        thread.join()
    }

    private func close() {
        guard store != nil else { return }
        store = nil
        SearchStore.seal(path)
    }

    // MARK: The index

    struct Content: Sendable {
        var sessionIds: [String]
        /// Words of what was removed may still be in the file.
        var needsScrub: Bool
    }

    /// Opens the index.
    func open() throws(SearchError) -> Content {
        let store = if let store { store } else { try SearchStore(path: path, limit: limit) }
        self.store = store
        return Content(sessionIds: try store.sessionIds, needsScrub: try store.needsScrub)
    }

    /// Throws the index away.
    func discard() {
        store = nil
        SearchStore.remove(path)
    }

    /// Forgets the connection, so that the next `open` begins anew.
    func giveUp() { store = nil }

    private func opened() throws(SearchError) -> SearchStore {
        guard let store else { throw .unavailable("the index is not open") }
        return store
    }

    // MARK: Work

    /// What is to be done with a session.
    enum Task: Sendable {
        /// Read its log up to its committed end.
        case read(sessionId: String, upTo: Int)
        case remove(sessionId: String)
    }

    struct Progress: Sendable {
        /// Sessions that need more of the same.
        var unfinished: [String] = []
        /// Nothing had to be done.
        var wasIdle = true
        var needsScrub = false
    }

    /// Does some of the work: as much as a search may have to wait for.
    func work(_ tasks: [Task]) throws(SearchError) -> Progress {
        let store = try opened()
        var progress = Progress()
        var budget = LogScan.Budget()
        var readings: [SearchStore.Reading] = []
        for task in tasks {
            guard !budget.isUsedUp, !limit.isCancelled else {
                progress.unfinished.append(task.sessionId)
                continue
            }
            switch task {
            case .remove(let id): try remove(id, from: store, &progress, &budget)
            case .read(let id, let end):
                let outcome = scan.read(
                    id, path: logs + "/" + id + LogFormat.suffix, upTo: end, from: try store.mark(of: id), &budget)
                switch outcome {
                case .unchanged: continue
                case .gone: try remove(id, from: store, &progress, &budget)
                case .replaced:
                    try remove(id, from: store, &progress, &budget)
                    if progress.unfinished.last != id { progress.unfinished.append(id) }
                case .read(let reading, let isAll):
                    progress.wasIdle = false
                    readings.append(reading)
                    if !isAll { progress.unfinished.append(id) }
                }
            }
        }
        if !readings.isEmpty { try store.add(readings) }
        progress.needsScrub = try store.needsScrub
        return progress
    }

    private func remove(
        _ id: String, from store: SearchStore, _ progress: inout Progress, _ budget: inout LogScan.Budget
    ) throws(SearchError) {
        guard try store.mark(of: id) != nil else { return }
        progress.wasIdle = false
        // What this takes is like the adding of as many.
        budget.textBytes -= 256 << 10
        if !(try store.remove(id, atMost: SearchWorker.removedAtOnce)) { progress.unfinished.append(id) }
    }

    /// - Returns: whether nothing of what was removed is left.
    func scrub() throws(SearchError) -> Bool { try opened().scrub(pages: SearchWorker.pagesAtOnce) }

    /// There is nothing to do for now.
    /// - Parameter afterMuch: a great deal was done, whose memory is worth giving back.
    func rest(afterMuch: Bool) {
        store?.shrink()
        if afterMuch { compact() }
    }

    /// In pieces, so that searches come between.
    private func compact() {
        // What goes wrong here is met again by whoever needs the index.
        if let store, !limit.isCancelled, let isDone = try? store.compact(pages: SearchWorker.pagesAtOnce), !isDone {
            return thread.submit { [self] in compact() }
        }
        releaseFreeMemory()
    }

    func search(_ request: SearchRequest) throws(SearchError) -> SearchAnswer {
        guard !request.query.terms.isEmpty else { return SearchAnswer(isComplete: true) }
        let now = monotonicNanoseconds()
        let deadline = now.addingReportingOverflow(Int64(request.milliseconds) * 1_000_000)
        // One more than asked for tells whether there are more.
        let (matches, isComplete) = try opened().search(
            request.query, in: request.sessionId, before: request.before ?? .max, limit: request.limit + 1,
            deadline: deadline.overflow ? .max : deadline.partialValue)
        var answer = SearchAnswer(isComplete: isComplete)
        answer.matches = matches.prefix(request.limit).map { match in
            SearchAnswer.Match(
                sessionId: match.sessionId, seq: match.seq, kind: match.kind, timestamp: match.timestamp,
                snippet: match.snippet)
        }
        if matches.count > request.limit || !isComplete { answer.next = matches.prefix(request.limit).last?.row }
        return answer
    }
}

extension SearchWorker.Task {
    var sessionId: String {
        switch self {
        case .read(let id, _), .remove(let id): id
        }
    }
}
