import Base
import EventLoop
import Glibc
import Processes
import Testing

@Suite(.serialized) struct ChildProcessTests {
    @Test func outputIsCompleteBeforeTheExit() throws {
        let loop = try EventLoop()
        let child = try ChildProcess.spawn(shell("echo hello; echo bad >&2; exit 7"), on: loop)
        let seen = Observer(child)
        #expect(runUntil(loop) { !seen.exits.isEmpty })
        #expect(seen.exits == [.exited(7)])
        #expect(child.exitStatus == .exited(7))
        #expect(seen.text == "hello\n")
        #expect(seen.outputEnds == 1)
        #expect(child.errorTail == "bad\n")
    }

    @Test func floodOfOutputArrivesWhole() throws {
        let loop = try EventLoop()
        let child = try ChildProcess.spawn(shell("head -c 20000000 /dev/zero"), on: loop)
        let seen = Observer(child)
        #expect(runUntil(loop) { !seen.exits.isEmpty })
        #expect(seen.output.count == 20_000_000)
        #expect(seen.exits == [.exited(0)])
    }

    @Test func pausedOutputHoldsTheChildBack() throws {
        let loop = try EventLoop()
        let child = try ChildProcess.spawn(shell("head -c 3000000 /dev/zero"), on: loop)
        let seen = Observer(child)
        child.pauseOutput()
        #expect(!runUntil(loop, within: .milliseconds(100)) { !seen.exits.isEmpty })
        #expect(seen.output.isEmpty)
        child.resumeOutput()
        #expect(runUntil(loop) { !seen.exits.isEmpty })
        #expect(seen.output.count == 3_000_000)
    }

    /// Right after an installation somebody may still hold the program's file open for writing (ETXTBSY).
    @Test func aProgramThatIsStillBeingWrittenIsWaitedFor() throws {
        let path = "/tmp/codeai-hub-busy-\(getpid())"
        let copy = try runToEnd("/bin/sh", ["-c", "cp /bin/true \(path) && chmod 700 \(path)"])
        #expect(copy == .exited(0))
        defer { unlink(path) }
        let loop = try EventLoop()
        let writer = open(path, O_WRONLY | O_CLOEXEC)
        #expect(writer >= 0)
        // For too long: an error that says so, after a bounded time.
        let started = monotonicNanoseconds()
        #expect(throws: SpawnError.self) {
            try ChildProcess.spawn(ProcessSpecification(executable: path), on: loop)
        }
        #expect(monotonicNanoseconds() - started >= 60_000_000)
        // For a moment: it starts. The other thread closes the file meanwhile.
        var thread = pthread_t()
        let box = UnsafeMutablePointer<Int32>.allocate(capacity: 1)
        box.initialize(to: writer)
        defer { box.deallocate() }
        pthread_create(
            &thread, nil,
            { argument in
                usleep(5000)
                close(argument!.assumingMemoryBound(to: Int32.self).pointee)
                return nil
            }, box)
        let child = try ChildProcess.spawn(ProcessSpecification(executable: path), on: loop)
        pthread_join(thread, nil)
        let seen = Observer(child)
        #expect(runUntil(loop) { !seen.exits.isEmpty })
        #expect(seen.exits == [.exited(0)])
    }

    private func runToEnd(_ program: String, _ arguments: [String]) throws -> Processes.ExitStatus? {
        let loop = try EventLoop()
        let child = try ChildProcess.spawn(
            ProcessSpecification(executable: program, arguments: arguments, environment: ["PATH": "/usr/bin:/bin"]),
            on: loop)
        let seen = Observer(child)
        _ = runUntil(loop) { !seen.exits.isEmpty }
        return seen.exits.first
    }

    @Test func inputIsWrittenAndEnds() throws {
        let loop = try EventLoop()
        let child = try ChildProcess.spawn(shell("cat"), on: loop)
        let seen = Observer(child)
        let payload = [UInt8](repeating: 0x61, count: 2_000_000)
        child.write(payload)
        child.write(Array("end".utf8))
        #expect(child.queuedInputBytes > 0)
        child.closeInput()
        #expect(runUntil(loop) { !seen.exits.isEmpty })
        #expect(seen.output.count == 2_000_003)
        #expect(seen.exits == [.exited(0)])
    }

    @Test func childThatClosesItsInputIsAnInputError() throws {
        let loop = try EventLoop()
        let child = try ChildProcess.spawn(shell("exec 0<&-; sleep 0.3; exit 4"), on: loop)
        let seen = Observer(child)
        var errors: [Int32] = []
        child.onInputError = { errors.append($0.errno) }
        #expect(!runUntil(loop, within: .milliseconds(100)) { false })
        child.write([1])
        child.write([2])
        #expect(runUntil(loop) { !seen.exits.isEmpty })
        #expect(errors == [EPIPE])
        #expect(seen.exits == [.exited(4)])
    }

    @Test func earlyEndOfOutputIsNotTheExit() throws {
        let loop = try EventLoop()
        let child = try ChildProcess.spawn(shell("echo last; exec 1>&-; sleep 0.2; exit 5"), on: loop)
        let seen = Observer(child)
        #expect(runUntil(loop) { seen.outputEnds == 1 })
        #expect(seen.exits.isEmpty)
        #expect(child.exitStatus == nil)
        #expect(runUntil(loop) { seen.exits == [.exited(5)] })
        #expect(seen.outputEnds == 1)
    }

    @Test func grandchildThatHoldsThePipesDelaysTheExitForABoundedTime() throws {
        let loop = try EventLoop()
        // It ignores SIGTERM, so that it goes on holding them until the deadline.
        let child = try ChildProcess.spawn(
            shell("(trap '' TERM; sleep 30) & sleep 0.1; echo said; exit 0"), on: loop)
        let seen = Observer(child)
        #expect(runUntil(loop) { child.exitStatus != nil })
        let start = monotonicNanoseconds()
        #expect(runUntil(loop) { !seen.exits.isEmpty })
        let waited = monotonicNanoseconds() - start
        #expect(waited < 2_000_000_000)
        #expect(seen.text == "said\n")
        #expect(seen.outputEnds == 1)
    }

    @Test func endBySignalIsReported() throws {
        let loop = try EventLoop()
        let child = try ChildProcess.spawn(shell("exec sleep 30"), on: loop)
        let seen = Observer(child)
        child.signal(SIGINT)
        #expect(runUntil(loop) { !seen.exits.isEmpty })
        #expect(seen.exits == [.signaled(SIGINT)])
        child.signal(SIGINT)
        child.terminate()
    }

    @Test func childStartsWithACleanSlate() throws {
        let loop = try EventLoop()
        // No descriptor but three may be open. Python itself ignores SIGPIPE and SIGXFSZ; 32 and 33 are the C library's.
        let script = """
            import os, signal
            print(signal.getsignal(signal.SIGTERM) == signal.SIG_DFL)
            status = dict(line.split(":", 1) for line in open("/proc/self/status") if ":" in line)
            print(status["SigBlk"].strip(), int(status["SigIgn"], 16) & ~(1 << 12 | 1 << 24 | 3 << 31))
            print(sorted(int(fd) for fd in os.listdir("/proc/self/fd"))[:3], len(os.listdir("/proc/self/fd")))
            print(os.getpgrp() == os.getpid(), os.getcwd())
            """
        let child = try ChildProcess.spawn(
            ProcessSpecification(
                executable: "python3", arguments: ["-S", "-c", script], environment: ["PATH": "/usr/bin:/bin"],
                workingDirectory: "/usr/lib"),
            on: loop)
        let seen = Observer(child)
        #expect(runUntil(loop) { !seen.exits.isEmpty })
        #expect(child.errorTail == "")
        // Four descriptors: the fourth is the directory being listed.
        #expect(seen.text == "True\n0000000000000000 0\n[0, 1, 2] 4\nTrue /usr/lib\n")
    }

    @Test func sigpipeHasItsDefaultInTheChild() throws {
        let loop = try EventLoop()
        let child = try ChildProcess.spawn(shell("kill -PIPE $$; echo ignored"), on: loop)
        let seen = Observer(child)
        #expect(runUntil(loop) { !seen.exits.isEmpty })
        #expect(seen.exits == [.signaled(SIGPIPE)])
        #expect(seen.text == "")
    }

    @Test func environmentIsExactlyWhatWasGiven() throws {
        let loop = try EventLoop()
        let child = try ChildProcess.spawn(
            ProcessSpecification(executable: "/usr/bin/env", environment: ["A": "1", "B": "x=y z"]), on: loop)
        let seen = Observer(child)
        #expect(runUntil(loop) { !seen.exits.isEmpty })
        let lines = seen.text.split(separator: "\n").filter { !$0.hasPrefix("CODEAI_HUB_PROCESS=") }
        #expect(lines.sorted() == ["A=1", "B=x=y z"])
    }

    @Test func errorTailKeepsTheEndAsValidText() throws {
        let loop = try EventLoop()
        let child = try ChildProcess.spawn(
            shell(
                "i=0; while [ $i -lt 3000 ]; do printf '\\303\\244\\303\\266x' >&2; i=$((i+1)); done; printf END >&2"),
            on: loop)
        let seen = Observer(child)
        #expect(runUntil(loop) { !seen.exits.isEmpty })
        let tail = child.errorTail
        #expect(tail.hasSuffix("äöxEND"))
        #expect(!tail.unicodeScalars.contains("\u{fffd}"))
        #expect((8189...8192).contains(tail.utf8.count))
    }

    @Test func twoHundredSpawnsLeakNothing() throws {
        let loop = try EventLoop()
        let before = openDescriptors()
        var times: [Int64] = []
        for _ in 0..<200 {
            let start = monotonicNanoseconds()
            let child = try ChildProcess.spawn(
                ProcessSpecification(executable: "/bin/true"), on: loop)
            times.append(monotonicNanoseconds() - start)
            let seen = Observer(child)
            #expect(runUntil(loop) { !seen.exits.isEmpty })
            #expect(seen.exits == [.exited(0)])
        }
        times.sort()
        print("spawn: median \(times[100] / 1000) us, p95 \(times[190] / 1000) us")
        // Other suites run beside this one.
        #expect(openDescriptors() < before + 50)
    }

    @Test func childIsFreedAfterItsEnd() throws {
        let loop = try EventLoop()
        weak var held: ChildProcess?
        var exited = false
        do {
            let child = try ChildProcess.spawn(shell("exit 0"), on: loop)
            child.onExit = { [child] _ in
                exited = true
                _ = child.pid
            }
            held = child
        }
        #expect(held != nil)
        #expect(runUntil(loop) { exited })
        #expect(held == nil)
    }
}
