import Base
import EventLoop
import HubProtocol

/// Commits the logs that a turn has made dirty: at the turn's end, one write for each, before any socket is written.
///
/// In process mode logs are published in the order in which they became dirty. In power mode each log is published
/// when its own sync has returned; among logs there is no order.
final class LogCommitter {
    let loop: EventLoop
    let durability: Durability
    let fileSystem: any LogFileSystem
    /// Most bytes that a log holds of what can't be written.
    let heldLimit: Int
    let retryInterval: Duration
    /// Where the logs are.
    let directory: String
    /// What others did to a log's file was found and mended.
    var onMended: (RecoveryReport) -> Void = { _ in }
    var metrics = LogMetrics()

    private var identifiers = ULIDGenerator()
    private var dirtyLogs: [LogAppender] = []
    private var outbox: [WriteJob] = []
    private let writer: LogWriter?
    /// Weak: a log holds on to its committer.
    private var appenders: [Int: WeakAppender] = [:]
    private var keys: [ObjectIdentifier: Int] = [:]
    private var nextKey = 0

    init(
        loop: EventLoop, durability: Durability, fileSystem: any LogFileSystem, directory: String, heldLimit: Int,
        retryInterval: Duration, writerLoop: EventLoop?
    ) throws(LogError) {
        self.loop = loop
        self.durability = durability
        self.fileSystem = fileSystem
        self.heldLimit = heldLimit
        self.directory = directory
        self.retryInterval = retryInterval
        do throws(SystemError) {
            writer =
                durability == .power
                ? try LogWriter(
                    loop: writerLoop, ownerLoop: loop, fileSystem: fileSystem, directory: directory) : nil
        } catch {
            throw LogError(error)
        }
    }

    func nextId(at time: Timestamp) -> String { identifiers.next(at: time) }

    func dirty(_ log: LogAppender) {
        if dirtyLogs.isEmpty { loop.atEndOfTurn(.commit) { [weak self] in self?.commitAll() } }
        dirtyLogs.append(log)
    }

    private func commitAll() {
        var logs: [LogAppender] = []
        swap(&logs, &dirtyLogs)
        for log in logs { log.commit() }
        sendOutbox()
    }

    // MARK: Power mode

    func add(_ appender: LogAppender) {
        nextKey += 1
        appenders[nextKey] = WeakAppender(appender: appender)
        keys[ObjectIdentifier(appender)] = nextKey
    }

    func key(of appender: LogAppender) -> Int { keys[ObjectIdentifier(appender)] ?? 0 }

    func send(_ job: WriteJob) {
        // Outside of the end of a turn (a retry) there is nobody who would empty the outbox.
        if outbox.isEmpty { loop.atEndOfTurn(.commit) { [weak self] in self?.sendOutbox() } }
        outbox.append(job)
    }

    private func sendOutbox() {
        guard !outbox.isEmpty else { return }
        var jobs: [WriteJob] = []
        swap(&jobs, &outbox)
        let committer = LoopBound(self, loop: loop)
        writer?.send(jobs) { committer.value.takeResults() }
    }

    private func takeResults() {
        guard let writer else { return }
        metrics.syncs = writer.syncCount
        for result in writer.takeResults() {
            appenders[result.appender]?.appender?.written(result.outcome, epoch: result.epoch)
        }
    }

    /// Closes a log's descriptor when the writer no longer needs it.
    func forget(_ appender: LogAppender, fd: Int32) {
        let key = key(of: appender)
        appenders[key] = nil
        keys[ObjectIdentifier(appender)] = nil
        dirtyLogs.removeAll { $0 === appender }
        if let writer {
            sendOutbox()
            writer.forget(key, fd: fd)
        } else {
            fileSystem.close(fd)
        }
    }

    // MARK: The end

    /// Commits everything there is, waiting for the writer at most so long.
    /// - Returns: whether all of it is committed.
    func drain(limit: Duration) -> Bool {
        let appenders = self.appenders.values.compactMap(\.appender)
        let deadline = monotonicNanoseconds() + limit.saturatingNanoseconds
        for appender in appenders { appender.tryNow() }
        while true {
            sendOutbox()
            writer?.turnIfShared()
            takeResults()
            if appenders.allSatisfy({ $0.isClean || (writer == nil && $0.failure != nil) }) { break }
            if monotonicNanoseconds() >= deadline { break }
            if writer == nil {
                for appender in appenders where appender.failure == nil { appender.commit() }
            } else {
                for appender in appenders { appender.commit() }
                pause(milliseconds: 1)
            }
        }
        return appenders.allSatisfy(\.isClean)
    }

    func stopWriter() {
        writer?.stop()
    }
}

private struct WeakAppender {
    weak var appender: LogAppender?
}
