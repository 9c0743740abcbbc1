import Base
package import EventLog
package import EventLoop
package import HubProtocol
package import JSON

/// Finds sessions by what was said in them. What it knows is derived from the logs, follows them, and is made anew when
/// it is missing or damaged; it is never the truth.
///
/// This is the loop's side: it keeps in mind which logs have grown, been removed, or have not been looked at yet, and
/// hands them to the worker, a few at a time. That the log has grown is all that is told of an event: the worker reads
/// it from the log, from where it stopped. So nothing queues up however far it falls behind.
package final class SearchIndex {
    /// Bytes of a log that are committed; nil when there is no such session.
    package var committedSize: (String) -> Int? = { _ in nil }
    /// All sessions, the newest first.
    package var sessionIds: () -> [String] = { [] }
    /// For the daemon's log.
    package var onNotice: (_ isError: Bool, _ message: String, _ details: JSONObject) -> Void = { _, _, _ in }

    private let path: String
    private let logs: String
    private let loop: EventLoop
    /// Milliseconds that a search may take.
    package var timeLimit: Int
    private let textLimit: Int
    private let fileSystem: any LogFileSystem
    private var worker: SearchWorker?

    private enum Condition {
        /// Nothing was looked at so far.
        case closed
        case opening
        case open
        /// It can't be used, and why.
        case unavailable(String)
        case stopped
    }
    private var condition = Condition.closed
    /// Not looked at since the index was opened; the next is the last.
    private var backlog: [String] = []
    private var backlogTotal = 0
    /// Since the worker rested last.
    private var hasReadBacklog = false
    private var grown: Set<String> = []
    private var removed: Set<String> = []
    private var needsScrub = false
    /// Until it is done nothing is added: each addition would have it begin anew.
    private var isScrubbing = false
    private var isWorking = false
    private var timer: LoopTimer?
    /// Searches that wait until the index is open.
    private var waiting: [() -> Void] = []
    private var searches = 0
    /// When it was made anew because of damage, on the loop's clock.
    private var rebuilds: [Duration] = []
    private var rebuiltAt: Duration?
    /// The one that was told of last.
    private var problem: String?

    /// Sessions handed to the worker at once.
    private static let batch = 64
    /// Searches under way; more are refused.
    package static let searchLimit = 32
    /// What happens in quick succession is read together.
    private static let settling = Duration.milliseconds(200)
    private static let retryInterval = Duration.seconds(30)
    /// Damage is mended so often an hour; then something else is wrong.
    private static let rebuildLimit = 3

    /// - Parameters:
    ///   - path: the index's file, made when it is missing.
    ///   - logs: the folder of the sessions' logs.
    package init(
        path: String, logs: String, loop: EventLoop, settings: SearchSettings = SearchSettings(),
        fileSystem: any LogFileSystem = DiskFileSystem.shared
    ) {
        self.path = path
        self.logs = logs
        self.loop = loop
        timeLimit = settings.timeLimit
        textLimit = settings.textBytes
        self.fileSystem = fileSystem
    }

    /// Removes the file of an index that is not wanted.
    package static func remove(_ path: String) { SearchStore.remove(path) }

    // MARK: Life

    /// Begins to look at the logs after a while: the start of the daemon has other things to do.
    package func start(after delay: Duration = .seconds(1)) {
        loop.schedule(after: delay) { [weak self] in self?.open() }
    }

    /// Ends the worker, closing its file. What was not read is read at the next start.
    package func stop() {
        condition = .stopped
        timer?.cancel()
        worker?.end()
        worker = nil
        runWaiting()
    }

    private func open() {
        guard case .closed = condition else { return }
        condition = .opening
        do throws(SystemError) {
            if worker == nil {
                worker = try SearchWorker(
                    path: path, logs: logs, textLimit: textLimit, fileSystem: fileSystem)
            }
        } catch {
            return fail(.unavailable("no thread: \(error)"))
        }
        ask({ worker throws(SearchError) in try worker.open() }, then: { index, content in index.opened(content) })
    }

    private func opened(_ content: SearchWorker.Content) {
        condition = .open
        problem = nil
        let sessions = sessionIds()
        backlog = sessions.reversed()
        backlogTotal = backlog.count
        grown = []
        removed.formUnion(Set(content.sessionIds).subtracting(sessions))
        needsScrub = content.needsScrub
        isScrubbing = false
        runWaiting()
        proceed()
    }

    private func runWaiting() {
        let bodies = waiting
        waiting = []
        for body in bodies { body() }
    }

    /// Has the worker do something, and goes on here with what comes of it.
    private func ask<Answer: Sendable>(
        _ job: @escaping @Sendable (SearchWorker) throws(SearchError) -> Answer,
        then take: @escaping (SearchIndex, Answer) -> Void
    ) {
        let back = LoopBound((index: self, take: take), loop: loop)
        worker?.submit { [loop] worker in
            let result: Result<Answer, SearchError>
            do throws(SearchError) { result = .success(try job(worker)) } catch { result = .failure(error) }
            loop.submit {
                let (index, take) = back.value
                if case .stopped = index.condition { return }
                switch result {
                case .success(let answer): take(index, answer)
                case .failure(let error): index.fail(error)
                }
            }
        }
    }

    private func fail(_ error: SearchError) {
        isWorking = false
        switch error {
        case .interrupted: return
        case .unavailable(let reason): becomeUnavailable(reason)
        case .damaged(let reason):
            rebuilds.removeAll { loop.now - $0 > .seconds(3600) }
            guard rebuilds.count < SearchIndex.rebuildLimit else {
                return becomeUnavailable("the index was damaged again and again: \(reason)")
            }
            rebuilds.append(loop.now)
            onNotice(true, "the search index is damaged and made anew", ["reason": JSON(reason)])
            condition = .closed
            ask(
                { worker throws(SearchError) in worker.discard() },
                then: { index, _ in
                    index.rebuiltAt = index.loop.now
                    index.open()
                })
        }
    }

    private func becomeUnavailable(_ reason: String) {
        if reason != problem { onNotice(true, "search is not available", ["reason": JSON(reason)]) }
        problem = reason
        condition = .unavailable(reason)
        worker?.submit { $0.giveUp() }
        runWaiting()
        loop.schedule(after: SearchIndex.retryInterval) { [weak self] in self?.retry() }
    }

    private func retry() {
        guard case .unavailable = condition else { return }
        condition = .closed
        open()
    }

    // MARK: What happens to sessions

    /// A session's log has grown, or is new here.
    package func logGrew(_ sessionId: String) {
        guard case .open = condition else { return }
        let isFirst = grown.insert(sessionId).inserted
        if isFirst, timer == nil, !isWorking { proceed(after: SearchIndex.settling) }
    }

    /// A session is gone: nothing of it is to be found, or to be left in the file.
    package func logRemoved(_ sessionId: String) {
        grown.remove(sessionId)
        removed.insert(sessionId)
        guard case .open = condition, !isWorking else { return }
        proceed()
    }

    /// How many sessions have been looked at since the index was opened; nil when all have.
    package var progress: SearchProgress? {
        guard case .open = condition else { return nil }
        return backlog.isEmpty ? nil : SearchProgress(done: backlogTotal - backlog.count, total: backlogTotal)
    }

    /// All there is to do is done, for now.
    var isIdle: Bool {
        guard case .open = condition else { return false }
        return backlog.isEmpty && grown.isEmpty && removed.isEmpty && !needsScrub && !isWorking && timer == nil
    }

    // MARK: Work

    private func proceed(after delay: Duration = .zero) {
        timer?.cancel()
        timer = loop.schedule(after: delay) { [weak self] in
            self?.timer = nil
            self?.work()
        }
    }

    private func work() {
        guard case .open = condition, !isWorking else { return }
        let tasks = isScrubbing ? [] : nextTasks()
        let begun = loop.now
        if !tasks.isEmpty {
            isWorking = true
            ask(
                { worker throws(SearchError) in try worker.work(tasks) },
                then: { index, progress in index.finished(tasks, progress, begun: begun) })
        } else if needsScrub {
            isWorking = true
            isScrubbing = true
            ask(
                { worker throws(SearchError) in try worker.scrub() },
                then: { index, isDone in
                    index.isWorking = false
                    index.isScrubbing = !isDone
                    index.needsScrub = !isDone
                    index.proceed()
                })
        } else {
            if let rebuiltAt {
                onNotice(
                    false, "the search index is complete again",
                    ["sessions": JSON(backlogTotal), "seconds": JSON((loop.now - rebuiltAt) / .seconds(1))])
                self.rebuiltAt = nil
            }
            let afterMuch = hasReadBacklog
            hasReadBacklog = false
            worker?.submit { $0.rest(afterMuch: afterMuch) }
        }
    }

    /// What was removed comes first, then what happens now, then what was there before.
    private func nextTasks() -> [SearchWorker.Task] {
        var tasks: [SearchWorker.Task] = removed.prefix(SearchIndex.batch).map { .remove(sessionId: $0) }
        // One that was removed and is back is read when nothing of the old one is left.
        guard tasks.isEmpty else { return tasks }
        for id in grown.prefix(SearchIndex.batch) {
            grown.remove(id)
            if let size = committedSize(id) { tasks.append(.read(sessionId: id, upTo: size)) }
        }
        while tasks.count < SearchIndex.batch, let id = backlog.popLast() {
            if let size = committedSize(id) { tasks.append(.read(sessionId: id, upTo: size)) }
        }
        return tasks
    }

    private func finished(_ tasks: [SearchWorker.Task], _ progress: SearchWorker.Progress, begun: Duration) {
        isWorking = false
        needsScrub = needsScrub || progress.needsScrub
        let unfinished = Set(progress.unfinished)
        for task in tasks {
            switch task {
            case .remove(let id): if !unfinished.contains(id) { removed.remove(id) }
            // In the backlog it counts as not done; live ones wait for it a little.
            case .read(let id, _): if unfinished.contains(id), !removed.contains(id) { backlog.append(id) }
            }
        }
        backlogTotal = max(backlogTotal, backlog.count)
        if !removed.isEmpty { return proceed() }
        if !backlog.isEmpty {
            hasReadBacklog = hasReadBacklog || !progress.wasIdle
            // As long a rest as the work took: others use this machine.
            return proceed(after: progress.wasIdle ? .zero : max(.milliseconds(1), min(.seconds(1), loop.now - begun)))
        }
        proceed(after: grown.isEmpty ? .zero : SearchIndex.settling)
    }

    // MARK: Searching

    /// Searches, on the worker's thread.
    /// - Parameter done: called on the loop, with `search_unavailable` or `too_many_requests` when it can't be done.
    package func search(_ request: SearchRequest, _ done: @escaping (Result<SearchAnswer, Failure>) -> Void) {
        guard searches < SearchIndex.searchLimit else {
            return done(
                .failure(
                    Failure(
                        code: "too_many_requests", message: "\(SearchIndex.searchLimit) searches are under way.",
                        recoverable: true, retryAfter: 1)))
        }
        searches += 1
        let answer = { [weak self] (result: Result<SearchAnswer, Failure>) in
            self?.searches -= 1
            done(result)
        }
        switch condition {
        case .closed, .opening:
            waiting.append { [weak self] in self?.perform(request, answer) }
            open()
        case .open, .unavailable, .stopped: perform(request, answer)
        }
    }

    private func perform(_ request: SearchRequest, _ done: @escaping (Result<SearchAnswer, Failure>) -> Void) {
        guard case .open = condition, let worker else { return done(.failure(unavailable)) }
        var request = request
        request.milliseconds = timeLimit
        let wanted = request
        let back = LoopBound((index: self, done: done), loop: loop)
        worker.submit { [loop] worker in
            let result: Result<SearchAnswer, SearchError>
            do throws(SearchError) { result = .success(try worker.search(wanted)) } catch { result = .failure(error) }
            loop.submit {
                let (index, done) = back.value
                switch result {
                case .success(var answer):
                    answer.indexing = index.progress
                    done(.success(answer))
                case .failure(let error):
                    done(.failure(SearchIndex.unavailable(because: error.description)))
                    if case .stopped = index.condition { return }
                    index.fail(error)
                }
            }
        }
    }

    private var unavailable: Failure {
        switch condition {
        case .unavailable(let reason): SearchIndex.unavailable(because: reason)
        default: SearchIndex.unavailable(because: "the index is being made anew")
        }
    }

    private static func unavailable(because reason: String) -> Failure {
        Failure(
            code: "search_unavailable",
            message: "Search is not available: \(reason). Everything else works; it is tried again by itself.",
            recoverable: true, retryAfter: 30)
    }
}
