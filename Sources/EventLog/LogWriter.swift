import Base
import EventLoop

/// Bytes for a file, in power mode.
struct WriteJob: Sendable {
    var appender: Int
    var epoch: Int
    var fd: Int32
    var offset: Int
    var bytes: [UInt8]
    /// Cut the file to this size first: an earlier write failed.
    var truncateTo: Int?
    /// The file is new: its name must be on stable storage too.
    var synchronizesDirectory: Bool
}

struct WriteResult: Sendable {
    var appender: Int
    var epoch: Int
    var outcome: Result<Void, SystemError>
}

/// The one thread that writes and syncs in power mode. While a sync runs, jobs queue up; the next group takes all of
/// them with one sync for each file (group commit).
///
/// Once a job of a log has failed, later ones of the same epoch fail unseen: they would leave a hole. A failed
/// `fdatasync` fails all that was written since the last good one, because the kernel may have dropped those pages and
/// will not say so again.
final class LogWriter: @unchecked Sendable {
    private let writerLoop: EventLoop
    private let ownerLoop: EventLoop
    private let ownsThread: Bool
    private let fileSystem: any LogFileSystem
    private let directory: String
    private let results = Lock<(list: [WriteResult], syncs: Int)>(([], 0))

    // Of the writer's thread:
    private var queue: [WriteJob] = []
    private var notify: [@Sendable () -> Void] = []
    private var failedEpochs: [Int: Int] = [:]

    /// - Parameter loop: a loop to work on, for tests that turn it themselves; nil for a thread of its own.
    init(
        loop: EventLoop?, ownerLoop: EventLoop, fileSystem: any LogFileSystem, directory: String
    ) throws(SystemError) {
        ownsThread = loop == nil
        writerLoop = if let loop { loop } else { try EventLoop.startThread(name: "log-writer") }
        self.ownerLoop = ownerLoop
        self.fileSystem = fileSystem
        self.directory = directory
    }

    // MARK: From the owner

    /// `done` is submitted to the owner's loop whenever there are results.
    func send(_ jobs: [WriteJob], done: @escaping @Sendable () -> Void) {
        writerLoop.submit { [self] in
            if queue.isEmpty { writerLoop.atEndOfTurn(.commit) { [self] in work() } }
            queue += jobs
            notify = [done]
        }
    }

    func takeResults() -> [WriteResult] {
        results.withLock { results in
            var taken: [WriteResult] = []
            swap(&taken, &results.list)
            return taken
        }
    }

    var syncCount: Int { results.withLock { $0.syncs } }

    /// Closes the descriptor after all that was sent for it.
    func forget(_ appender: Int, fd: Int32) {
        writerLoop.submit { [self] in
            // Jobs of this very turn are still in the queue.
            writerLoop.atEndOfTurn(.flush) { [self] in
                failedEpochs[appender] = nil
                fileSystem.close(fd)
            }
        }
    }

    func turnIfShared() {
        if !ownsThread { writerLoop.turn(waitingAtMost: .zero) }
    }

    func stop() {
        guard ownsThread else { return turnIfShared() }
        writerLoop.submit { [self] in writerLoop.atEndOfTurn(.flush) { [self] in writerLoop.stop() } }
        writerLoop.join()
    }

    // MARK: On the writer's thread

    private func work() {
        var jobs: [WriteJob] = []
        swap(&jobs, &queue)
        var order: [Int] = []
        var groups: [Int: [WriteJob]] = [:]
        for job in jobs {
            if groups[job.appender] == nil { order.append(job.appender) }
            groups[job.appender, default: []].append(job)
        }
        for appender in order {
            write(groups[appender] ?? [])
            for done in notify { ownerLoop.submit(done) }
        }
    }

    /// Writes and syncs the jobs of one log.
    private func write(_ jobs: [WriteJob]) {
        var written: [WriteJob] = []
        for job in jobs where failedEpochs[job.appender] != job.epoch {
            do throws(SystemError) {
                if let size = job.truncateTo { try fileSystem.truncate(job.fd, to: size) }
                try fileSystem.writeAll(job.fd, job.bytes, at: job.offset)
                written.append(job)
            } catch {
                // What was written before it in this group is failed with it: it will all be written again.
                return fail(job, error)
            }
        }
        guard let last = written.last else { return }
        do throws(SystemError) {
            try fileSystem.synchronize(last.fd)
            if written.contains(where: \.synchronizesDirectory) { try fileSystem.synchronize(directory: directory) }
        } catch {
            return fail(last, error)
        }
        results.withLock { results in
            results.syncs += 1
            for job in written {
                results.list.append(WriteResult(appender: job.appender, epoch: job.epoch, outcome: .success(())))
            }
        }
    }

    private func fail(_ job: WriteJob, _ error: SystemError) {
        failedEpochs[job.appender] = job.epoch
        results.withLock {
            $0.list.append(WriteResult(appender: job.appender, epoch: job.epoch, outcome: .failure(error)))
        }
    }
}
