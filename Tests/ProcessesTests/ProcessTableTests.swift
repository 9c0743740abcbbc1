import Base
import EventLoop
import Glibc
import Processes
import Testing

@Suite(.serialized) struct ProcessTableTests {
    @Test func ownEntryIsRight() throws {
        let entry = try #require(ProcessTable.snapshot()[getpid()])
        #expect(entry.parent == getppid())
        #expect(entry.group == getpgrp())
        #expect(entry.session == getsid(0))
        #expect(!entry.isZombie)
        #expect(entry.residentBytes > 1 << 20)
        #expect(entry.identity.isRunning)
    }

    @Test func descendantsAndTheirMemory() throws {
        let loop = try EventLoop()
        // A name that imitates the end of the name field. The file may go only once it has been executed.
        let child = try ChildProcess.spawn(
            shell(
                """
                file="/tmp/a) R 1 ($$"; cp /bin/sleep "$file"; "$file" 30 & child=$!
                until grep -q "a) R 1" /proc/$child/comm; do sleep 0.01; done
                rm "$file"; echo $child; wait
                """), on: loop)
        let seen = Observer(child)
        #expect(runUntil(loop) { seen.text.hasSuffix("\n") })
        let pid = try #require(Int32(seen.text.dropLast()))
        #expect(
            runUntil(loop) { ProcessTable.snapshot().descendants(of: child.pid).map(\.pid) == [pid] })
        let table = ProcessTable.snapshot()
        #expect(table.descendants(of: getpid()).contains { $0.pid == pid })
        #expect(table.residentBytes(ofTree: child.pid) > table[pid]?.residentBytes ?? .max)
        child.terminate(.immediate)
        #expect(runUntil(loop) { !seen.exits.isEmpty })
    }

    @Test func markedProcessesAreFoundAndEnded() throws {
        let loop = try EventLoop()
        let owner = "test-\(hexadecimal(randomBytes(8)))"
        func start(_ script: String, _ value: String) throws -> (ChildProcess, Observer) {
            var specification = shell(script)
            specification.environment[Leftovers.ownerVariable] = value
            let child = try ChildProcess.spawn(specification, on: loop)
            return (child, Observer(child))
        }
        let (gentle, gentleSeen) = try start("exec sleep 64", owner)
        let (deaf, deafSeen) = try start("trap '' TERM; echo ready; while :; do sleep 1; done", owner)
        let (other, otherSeen) = try start("exec sleep 65", owner + "x")
        #expect(runUntil(loop) { deafSeen.text == "ready\n" })
        let found = Set(
            ProcessTable.snapshot().processes(marked: Leftovers.ownerVariable, owner).map(\.pid))
        #expect(found.isSuperset(of: [gentle.pid, deaf.pid]))
        #expect(!found.contains(other.pid))
        var ended: Int?
        Leftovers.end(owner: owner, grace: .milliseconds(200), on: loop) { ended = $0 }
        #expect(runUntil(loop) { ended != nil && !gentleSeen.exits.isEmpty && !deafSeen.exits.isEmpty })
        #expect((ended ?? 0) >= 2)
        #expect(gentleSeen.exits == [.signaled(SIGTERM)])
        #expect(deafSeen.exits == [.signaled(SIGKILL)])
        #expect(otherSeen.exits.isEmpty)
        Leftovers.end(owner: owner, on: loop) { ended = $0 }
        #expect(ended == 0)
        other.terminate(.immediate)
        #expect(runUntil(loop) { !otherSeen.exits.isEmpty })
    }

    @Test func identityDoesNotFitALaterProcess() throws {
        let loop = try EventLoop()
        let child = try ChildProcess.spawn(shell("sleep 30"), on: loop)
        let seen = Observer(child)
        let real = try #require(ProcessTable.snapshot()[child.pid]).identity
        #expect(real.isRunning)
        #expect(real.signal(SIGKILL))
        #expect(runUntil(loop) { !seen.exits.isEmpty })
        #expect(!real.isRunning)
        #expect(!real.signal(SIGKILL))
    }

    @Test func listenerSurvivesTheDescriptorLimit() throws {
        let loop = try EventLoop()
        let probe = try ChildProcess.spawn(
            ProcessSpecification(executable: builtProgram("TestPeer"), arguments: ["descriptor-limit"]), on: loop)
        let seen = Observer(probe)
        #expect(runUntil(loop) { !seen.exits.isEmpty })
        #expect(
            seen.text == "accepted: 5\nrefused: 15\nfew turns: true\naccepted afterwards: 1\n", "\(probe.errorTail)")
    }
}
