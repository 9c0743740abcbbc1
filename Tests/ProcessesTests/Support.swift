import Base
import EventLoop
import Glibc
import Processes

/// Runs turns until `condition` holds; false when it does not within `limit`.
func runUntil(_ loop: EventLoop, within limit: Duration = .seconds(10), _ condition: () -> Bool) -> Bool {
    let deadline = monotonicNanoseconds() + limit.saturatingNanoseconds
    while !condition() {
        guard monotonicNanoseconds() < deadline else { return false }
        loop.turn(waitingAtMost: .milliseconds(20))
    }
    return true
}

func shell(_ script: String, in directory: String? = nil) -> ProcessSpecification {
    ProcessSpecification(
        executable: "/bin/sh", arguments: ["-c", script], environment: ["PATH": "/usr/bin:/bin"],
        workingDirectory: directory)
}

/// What a child has said and how it ended.
final class Observer {
    var output: [UInt8] = []
    var outputEnds = 0
    var exits: [ExitStatus] = []
    var text: String { String(decoding: output, as: UTF8.self) }

    init(_ child: ChildProcess) {
        child.onOutput = { [unowned self] in output.append(contentsOf: $0) }
        child.onOutputEnd = { [unowned self] in
            outputEnds += 1
            precondition(exits.isEmpty)
        }
        child.onExit = { [unowned self] in exits.append($0) }
    }
}

/// A program built beside the tests.
func builtProgram(_ name: String) -> String {
    var buffer = [CChar](repeating: 0, count: 4096)
    let count = readlink("/proc/self/exe", &buffer, buffer.count)
    let own = String(decoding: buffer.prefix(max(0, count)).map(UInt8.init(bitPattern:)), as: UTF8.self)
    return own.split(separator: "/").dropLast().reduce("") { $0 + "/" + $1 } + "/" + name
}

func isAlive(_ pid: Int32) -> Bool {
    guard let entry = ProcessTable.snapshot()[pid] else { return false }
    return !entry.isZombie
}

func openDescriptors() -> Int {
    guard let directory = opendir("/proc/self/fd") else { return -1 }
    defer { closedir(directory) }
    var count = 0
    while readdir(directory) != nil { count += 1 }
    return count
}
