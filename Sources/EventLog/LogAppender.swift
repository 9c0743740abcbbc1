import Base
import EventLoop
import HubProtocol

/// Numbers a log's events, holds them until they are in the file, and then says so, in order.
///
/// Guarantees: events are published in the order of their numbers, each once, after their line is in the file (in
/// power mode: on stable storage). Bodies given to `afterCommit` run in the order in which they were given, each after
/// the publication of all that was appended before it. A write that fails publishes nothing; what it left is cut off
/// and all of it is written again, every second, until that succeeds.
final class LogAppender {
    /// What one commit writes.
    struct Batch {
        var bytes: [UInt8] = []
        var records: [EventRecord] = []
        /// Where each record's line ends, without its LF.
        var ends: [Int] = []
        var firstAppended: Int64 = 0
    }

    let file: LogFile
    private(set) var lastSeq: Int
    private(set) var failure: LogError?
    private(set) var isClosed = false
    /// The header of a new file in power mode, until the first commit has put it and the file's name on stable
    /// storage. It is written again with each try, since a failed sync may have dropped it.
    var unsyncedHeader: [UInt8]?
    var publish: ([CommittedEvent]) -> Void = { _ in }
    var onFailure: (LogError) -> Void = { _ in }
    var onRecovered: () -> Void = {}

    private let committer: LogCommitter
    private var pending = Batch()
    /// Taken from `pending`, not yet known to be in the file; oldest first.
    private var unwritten: [Batch] = []
    private var heldBytes = 0
    private var waiting: [(seq: Int, body: () -> Void, dropped: () -> Void)] = []
    private var isDirty = false
    private var isPublishing = false
    private var retry: LoopTimer?
    /// Rises with each failure, so that what the writer still says about older jobs is passed over.
    private var epoch = 0

    init(file: LogFile, committer: LogCommitter) {
        self.file = file
        self.committer = committer
        lastSeq = file.lastSeq
    }

    var committedSeq: Int { file.lastSeq }
    var isClean: Bool { pending.records.isEmpty && unwritten.isEmpty }

    // MARK: Appending

    /// Numbers and buffers an event; nil when the log is closed or holds as much as it may.
    func append(_ draft: EventDraft, at timestamp: Timestamp) -> EventRecord? {
        guard !isClosed, !isFull, lastSeq < LogFormat.highestSeq else {
            committer.metrics.refused += 1
            return nil
        }
        lastSeq += 1
        let record = EventRecord(seq: lastSeq, timestamp: timestamp, id: committer.nextId(at: timestamp), draft: draft)
        if pending.records.isEmpty { pending.firstAppended = monotonicNanoseconds() }
        record.serialize(into: &pending.bytes)
        pending.ends.append(pending.bytes.count)
        pending.bytes.append(0x0a)
        pending.records.append(record)
        markDirty()
        return record
    }

    /// Runs `body` right after what is appended so far was committed and published; at once when nothing is pending.
    /// Runs `dropped` instead when the log is closed before that.
    func afterCommit(_ body: @escaping () -> Void, orElse dropped: @escaping () -> Void) {
        if isClosed {
            dropped()
        } else if isClean, !isPublishing {
            body()
        } else {
            waiting.append((lastSeq, body, dropped))
        }
    }

    /// A log that works may hold more: a large import is one turn's work.
    private var isFull: Bool {
        heldBytes + pending.bytes.count >= (failure == nil ? 4 * committer.heldLimit : committer.heldLimit)
    }

    private func markDirty() {
        guard !isDirty else { return }
        isDirty = true
        committer.dirty(self)
    }

    // MARK: Committing

    /// Writes what is pending (process mode) or hands it to the writer (power mode).
    func commit() {
        isDirty = false
        // A nested commit would publish later events before the rest of earlier ones.
        guard !isPublishing else { return markDirty() }
        guard failure == nil, !isClosed, !pending.records.isEmpty else { return }
        do throws(SystemError) {
            try mend()
        } catch {
            takePending()
            return fail(error)
        }
        takePending()
        switch committer.durability {
        case .process: writeAll()
        case .power: if let batch = unwritten.last { send(batch, truncateTo: nil) }
        }
    }

    /// Sees to it that what was committed is in the file and the file has its name, whatever others did to it.
    /// Nothing is done while the writer's thread has something for the file.
    /// - Throws: when it can't be mended now.
    func mend(looksAtName: Bool = false) throws(SystemError) {
        guard !isClosed, committer.durability == .process || (unwritten.isEmpty && failure == nil) else { return }
        let report = try file.mend(
            looksAtName: looksAtName, mayHaveRemains: failure != nil, synchronizes: committer.durability == .power,
            directory: committer.directory)
        if let report { committer.onMended(report) }
    }

    private func takePending() {
        guard !pending.records.isEmpty else { return }
        let size = pending.bytes.count
        heldBytes += size
        unwritten.append(pending)
        pending = Batch()
        // The block goes to whoever receives the events; the next one will be of like size.
        pending.bytes.reserveCapacity(min(size, 64 << 10))
    }

    private func writeAll() {
        while let batch = unwritten.first {
            do throws(SystemError) {
                try file.fileSystem.writeAll(file.fd, batch.bytes, at: file.end)
            } catch {
                return fail(error)
            }
            committed(batch)
        }
    }

    private func send(_ batch: Batch, truncateTo size: Int?) {
        let before = unwritten.dropLast(1).reduce(0) { $0 + $1.bytes.count }
        var job = WriteJob(
            appender: committer.key(of: self), epoch: epoch, fd: file.fd, offset: file.end + before,
            bytes: batch.bytes, truncateTo: size, synchronizesDirectory: false)
        if let unsyncedHeader, before == 0 {
            job.offset = 0
            job.bytes = unsyncedHeader + batch.bytes
            job.synchronizesDirectory = true
        }
        committer.send(job)
    }

    /// The writer's word on the oldest batch of that epoch.
    func written(_ outcome: Result<Void, SystemError>, epoch: Int) {
        guard epoch == self.epoch, let batch = unwritten.first else { return }
        switch outcome {
        case .success:
            unsyncedHeader = nil
            committed(batch)
        case .failure(let error): fail(error)
        }
    }

    private func committed(_ batch: Batch) {
        unwritten.removeFirst()
        heldBytes -= batch.bytes.count
        file.end += batch.bytes.count
        file.lastSeq = batch.records[batch.records.count - 1].seq
        committer.metrics.commits += 1
        committer.metrics.events += batch.records.count
        committer.metrics.bytes += batch.bytes.count
        var events: [CommittedEvent] = []
        events.reserveCapacity(batch.records.count)
        var start = 0
        for (record, end) in zip(batch.records, batch.ends) {
            events.append(CommittedEvent(record: record, block: batch.bytes, range: start..<end))
            start = end + 1
        }
        if failure != nil, unwritten.isEmpty {
            failure = nil
            // What came meanwhile was passed over by the commits of its turns.
            if !pending.records.isEmpty { markDirty() }
            onRecovered()
        }
        committer.metrics.appendLatency.record(
            nanoseconds: monotonicNanoseconds() - batch.firstAppended, times: events.count)
        isPublishing = true
        if !isClosed { publish(events) }
        committer.metrics.publishLatency.record(
            nanoseconds: monotonicNanoseconds() - batch.firstAppended, times: events.count)
        runWaiting()
        isPublishing = false
    }

    private func runWaiting() {
        while let first = waiting.first, first.seq <= file.lastSeq {
            waiting.removeFirst()
            first.body()
        }
    }

    // MARK: Failing

    private func fail(_ cause: SystemError) {
        epoch += 1
        committer.metrics.failures += 1
        if committer.durability == .process {
            // Should this fail too, the next try overwrites what was left with the same bytes.
            file.cutRemains()
        }
        let isFirst = failure == nil
        let error = LogError(
            .inputOutput,
            "the log of session \(file.sessionId) can't be written (\(cause)); trying again every second", cause: cause)
        failure = error
        scheduleRetry()
        if isFirst { onFailure(error) }
    }

    private func scheduleRetry() {
        guard retry == nil, !isClosed else { return }
        retry = committer.loop.schedule(after: committer.retryInterval) { [weak self] in
            self?.retry = nil
            self?.tryAgain()
        }
    }

    private func tryAgain() {
        guard failure != nil, !isClosed else { return }
        takePending()
        if committer.durability == .process {
            do throws(SystemError) { try mend() } catch { return fail(error) }
        }
        switch committer.durability {
        case .process: writeAll()
        case .power:
            // One block: what the failed sync may have lost is written again from memory, never assumed to be there.
            var whole = unwritten.isEmpty ? Batch() : unwritten.removeFirst()
            for batch in unwritten {
                let shift = whole.bytes.count
                whole.bytes += batch.bytes
                whole.records += batch.records
                whole.ends += batch.ends.map { $0 + shift }
            }
            unwritten = whole.records.isEmpty ? [] : [whole]
            if !unwritten.isEmpty { send(whole, truncateTo: file.end) }
        }
    }

    /// Tries the writes of a failed log now; for the end of the daemon.
    func tryNow() {
        retry?.cancel()
        retry = nil
        if failure != nil { tryAgain() } else { commit() }
    }

    /// Nothing is written or published any more. The descriptor is closed once the writer is done with it.
    func close() {
        isClosed = true
        retry?.cancel()
        retry = nil
        let dropped = waiting.map(\.dropped)
        waiting = []
        publish = { _ in }
        onFailure = { _ in }
        onRecovered = {}
        committer.forget(self, fd: file.fd)
        for body in dropped { body() }
    }
}
