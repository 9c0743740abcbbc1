import EventLoop
import Glibc
import Processes

/// Orphans are adopted and reaped while known children keep their exit statuses. Prints one line per finding.
enum SubreaperProbe {
    static func run() throws {
        let loop = try EventLoop()
        let reaper = try Subreaper.enable(on: loop)
        var statuses: [ExitStatus] = []
        // Each leaves an orphan in a session of its own that ends at once, and one that stays, without the marker.
        for code in 0..<20 {
            let child = try ChildProcess.spawn(
                ProcessSpecification(
                    executable: "/bin/sh",
                    arguments: [
                        "-c",
                        "setsid sh -c 'exit 3' & setsid env -i sleep 60 >/dev/null 2>&1 & sleep 0.02; exit \(code)",
                    ],
                    environment: ["PATH": "/usr/bin:/bin"]),
                on: loop)
            child.onExit = { statuses.append($0) }
        }
        let deadline = monotonicNanoseconds() + 10_000_000_000
        while statuses.count < 20, monotonicNanoseconds() < deadline { loop.turn(waitingAtMost: .milliseconds(20)) }
        let codes = statuses.compactMap { if case .exited(let code) = $0 { code } else { nil } }
        print("exit codes complete: \(codes.sorted() == Array(0..<20))")
        print("adopted: \(ProcessTable.snapshot().adopted().count)")
        reaper.killAdopted()
        while !ProcessTable.snapshot().adopted().isEmpty, monotonicNanoseconds() < deadline {
            loop.turn(waitingAtMost: .milliseconds(20))
        }
        for _ in 0..<5 { loop.turn(waitingAtMost: .milliseconds(10)) }
        print("adopted after kill: \(ProcessTable.snapshot().adopted().count)")
        print("zombies: \(zombies())")
    }

    private static func zombies() -> Int {
        var count = 0
        guard let directory = opendir("/proc") else { return -1 }
        defer { closedir(directory) }
        let table = ProcessTable.snapshot()
        while let item = readdir(directory) {
            let name = withUnsafeBytes(of: item.pointee.d_name) { raw in
                String(decoding: raw.prefix { $0 != 0 }, as: UTF8.self)
            }
            if let pid = Int32(name), let entry = table[pid], entry.parent == getpid(), entry.isZombie { count += 1 }
        }
        return count
    }
}
