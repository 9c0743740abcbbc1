import Base
import EventLoop
import Glibc
import Processes
import Testing

@Suite(.serialized) struct TeardownTests {
    private let quick = TeardownLadder(polite: .milliseconds(150), terminate: .milliseconds(150))

    private func waitForPids(_ seen: Observer, _ loop: EventLoop, count: Int) -> [Int32] {
        _ = runUntil(loop) { seen.text.split(separator: "\n").count >= count }
        return seen.text.split(separator: "\n").compactMap { Int32($0) }
    }

    @Test func politeProcessEndsWithItsInput() throws {
        let loop = try EventLoop()
        let child = try ChildProcess.spawn(shell("cat; exit 9"), on: loop)
        let seen = Observer(child)
        var asked = 0
        child.terminate(politely: {
            asked += 1
            child.write(Array("bye".utf8))
        })
        child.terminate(politely: { asked += 1 })
        #expect(runUntil(loop) { !seen.exits.isEmpty })
        #expect(seen.exits == [.exited(9)])
        #expect(seen.text == "bye")
        #expect(asked == 1)
    }

    @Test func nextStepIsSIGTERM() throws {
        let loop = try EventLoop()
        let child = try ChildProcess.spawn(shell("sleep 30"), on: loop)
        let seen = Observer(child)
        child.terminate(quick)
        #expect(runUntil(loop) { !seen.exits.isEmpty })
        #expect(seen.exits == [.signaled(SIGTERM)])
    }

    @Test func stoppedProcessEndsToo() throws {
        let loop = try EventLoop()
        let child = try ChildProcess.spawn(shell("sleep 30"), on: loop)
        let seen = Observer(child)
        child.signal(SIGSTOP)
        child.terminate(quick)
        #expect(runUntil(loop) { !seen.exits.isEmpty })
        #expect(seen.exits == [.signaled(SIGTERM)])
    }

    @Test func lastStepIsSIGKILLForTheWholeTree() throws {
        let loop = try EventLoop()
        // A parent that ignores SIGTERM, a child in its group, a grandchild in a session of its own: all deaf.
        let child = try ChildProcess.spawn(
            shell(
                """
                trap '' TERM
                sleep 61 & echo $!
                setsid sh -c 'trap "" TERM; echo $$; sleep 62' &
                while :; do sleep 1; done
                """), on: loop)
        let seen = Observer(child)
        let pids = waitForPids(seen, loop, count: 2)
        #expect(pids.count == 2)
        for pid in pids { #expect(isAlive(pid)) }
        child.terminate(quick)
        #expect(runUntil(loop) { !seen.exits.isEmpty })
        #expect(seen.exits == [.signaled(SIGKILL)])
        #expect(runUntil(loop) { !pids.contains(where: isAlive) })
    }

    @Test func immediateLadderKillsAtOnce() throws {
        let loop = try EventLoop()
        let child = try ChildProcess.spawn(shell("trap '' TERM; echo ready; while :; do sleep 1; done"), on: loop)
        let seen = Observer(child)
        #expect(runUntil(loop) { seen.text == "ready\n" })
        let start = monotonicNanoseconds()
        child.terminate(TeardownLadder(polite: .seconds(60), terminate: .seconds(60)))
        child.terminate(.immediate)
        #expect(runUntil(loop) { !seen.exits.isEmpty })
        #expect(seen.exits == [.signaled(SIGKILL)])
        #expect(monotonicNanoseconds() - start < 3_000_000_000)
    }

    @Test func groupDoesNotOutliveItsLeader() throws {
        let loop = try EventLoop()
        let child = try ChildProcess.spawn(shell("sleep 63 >/dev/null 2>&1 & echo $!; exit 0"), on: loop)
        let seen = Observer(child)
        let pids = waitForPids(seen, loop, count: 1)
        #expect(pids.count == 1)
        #expect(runUntil(loop) { !seen.exits.isEmpty })
        #expect(seen.exits == [.exited(0)])
        #expect(runUntil(loop) { !pids.contains(where: isAlive) })
    }

    @Test func childDiesWithItsParent() throws {
        let loop = try EventLoop()
        let parent = try ChildProcess.spawn(
            ProcessSpecification(executable: builtProgram("TestPeer"), arguments: ["spawn-and-wait"]), on: loop)
        let seen = Observer(parent)
        let pids = waitForPids(seen, loop, count: 1)
        let pid = try #require(pids.first)
        #expect(isAlive(pid))
        parent.signal(SIGKILL)
        #expect(runUntil(loop) { !isAlive(pid) })
    }

    @Test func subreaperAdoptsAndReapsWithoutStealing() throws {
        let loop = try EventLoop()
        let probe = try ChildProcess.spawn(
            ProcessSpecification(
                executable: builtProgram("TestPeer"), arguments: ["subreaper"], environment: ["PATH": "/usr/bin:/bin"]),
            on: loop)
        let seen = Observer(probe)
        #expect(runUntil(loop, within: .seconds(20)) { !seen.exits.isEmpty })
        #expect(seen.exits == [.exited(0)])
        #expect(
            seen.text == "exit codes complete: true\nadopted: 20\nadopted after kill: 0\nzombies: 0\n",
            "\(probe.errorTail)")
    }
}
