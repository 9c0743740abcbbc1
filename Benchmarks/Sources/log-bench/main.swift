import Base
import BenchSupport
import EventLog
import EventLoop
import HubProtocol
import JSON

// How many events a second the log takes, each written and published as in the daemon: a burst in a turn of the loop,
// one commit at its end; in power mode the next burst when the last is safe.

struct LastEvent: LogFold {
    var seq = 0
    init(header: LogHeader) {}
    init?(checkpoint: JSON, header: LogHeader) { return nil }
    mutating func apply(_ record: EventRecord) { seq = record.seq }
    var checkpoint: JSON { [:] }
}

var options = CommandLineOptions()
let durability = Durability(rawValue: options.text("durability", "process"))
let size = options.number("size", 256)
let burst = options.number("burst", 64)
let sessionCount = options.number("sessions", 1)
let duration = options.seconds("duration", 2)
options.done()
guard let durability else { stop("--durability is process or power") }

let folder = makeTemporaryFolder()
defer { removeFolder(folder) }
do {
    let loop = try EventLoop()
    let store = try LogStore<LastEvent>(
        directory: folder + "/sessions", backups: folder + "/backups", loop: loop, durability: durability)
    var source = PublishedText(size: size)
    let text = String(decoding: source.next(), as: UTF8.self)
    var published = 0
    var isOver = false
    var logs: [SessionLog<LastEvent>] = []
    for number in 0..<sessionCount {
        let log = try store.create(
            LogHeader(sessionId: "bench-\(number)", providerId: "echo", createdAt: .now, workspace: "/"))
        log.onCommitted = { published += $0.count }
        log.onFailure = { stop("the log failed: \($0)") }
        logs.append(log)
    }
    func step(_ log: SessionLog<LastEvent>) {
        if isOver { return }
        for _ in 0..<burst {
            log.append(
                EventDraft(
                    .message, source: .agent, turnId: "t1", itemId: "i1", providerId: "echo",
                    data: ["role": "assistant", "content": .string(text)]))
        }
        log.afterCommit { loop.schedule(after: .zero) { step(log) } }
    }
    for log in logs { step(log) }
    var before = store.metrics
    var begin = 0.0
    var cpu = 0.0
    loop.schedule(after: .milliseconds(300)) {
        published = 0
        before = store.metrics
        begin = monotonicSeconds()
        cpu = cpuSeconds()
    }
    loop.schedule(after: .milliseconds(300) + .seconds(duration)) {
        let seconds = monotonicSeconds() - begin
        let events = Double(store.metrics.events - before.events)
        report([
            "eventsPerSecond": events / seconds,
            "bytesPerSecond": Double(store.metrics.bytes - before.bytes) / seconds,
            "commitsPerSecond": Double(store.metrics.commits - before.commits) / seconds,
            "cpuUsPerEvent": (cpuSeconds() - cpu) / max(1, events) * 1e6,
        ])
        isOver = true
        loop.stop()
    }
    loop.run()
} catch {
    removeFolder(folder)
    stop("\(error)")
}
