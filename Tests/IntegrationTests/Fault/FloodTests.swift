import Foundation
import JSON
import TestSupport
import Testing

/// An agent that doesn't behave: it floods, hangs, closes its pipes or runs out of memory. Its own session hears of it;
/// the daemon's memory stays bounded, and other sessions don't notice.
@Suite(.timeLimit(.minutes(10))) struct FloodTests {
    /// Speaks ACP as far as to its first prompt, and then does what that says.
    private static let agent = #"""
        import json, os, resource, sys, time

        def say(**message):
            sys.stdout.write(json.dumps({"jsonrpc": "2.0", **message}) + "\n")
            sys.stdout.flush()

        for line in sys.stdin:
            message = json.loads(line)
            method, params = message.get("method"), message.get("params")
            if method == "initialize":
                say(id=message["id"], result={"protocolVersion": 1})
            elif method == "session/new":
                say(id=message["id"], result={"sessionId": "flood-1"})
            elif method == "session/prompt":
                words = params["prompt"][0]["text"].split()
                size = int(words[1]) if len(words) > 1 else 0
                if words[0] == "lines":
                    block = b'{"this is":"no message of the protocol"}\n' * 25000
                    for _ in range(size // len(block)):
                        sys.stdout.buffer.write(block)
                    sys.stdout.buffer.flush()
                elif words[0] == "endless":
                    block = b"x" * (1 << 20)
                    for _ in range(size >> 20):
                        sys.stdout.buffer.write(block)
                    sys.stdout.buffer.write(b"\n")
                    sys.stdout.buffer.flush()
                elif words[0] == "stderr":
                    block = b"an agent that complains\n" * 40000
                    for _ in range(size // len(block)):
                        os.write(2, block)
                elif words[0] == "closed":
                    os.close(1)
                    time.sleep(600)
                elif words[0] == "deaf":
                    os.close(0)
                    time.sleep(600)
                elif words[0] == "memory":
                    resource.setrlimit(resource.RLIMIT_AS, (200 << 20, 200 << 20))
                    everything = []
                    while True:
                        everything.append(b"x" * (8 << 20))
                say(id=message["id"], result={"stopReason": "end_turn"})
        """#

    private func start() throws -> (TestDaemon, session: String, other: String) {
        let daemon = try TestDaemon()
        try daemon.folder.write("flood.py", Self.agent)
        let manifest: JSON = [
            "name": "Flood", "adapter": "acp", "command": ["python3"],
            "arguments": [JSON(daemon.folder.path + "/flood.py")],
        ]
        try daemon.folder.write("hub/providers/flood/module.json", manifest.description)
        try daemon.start()
        return (daemon, try daemon.newSession("flood"), try daemon.newSession())
    }

    /// Megabytes written by the agent, how its turn ends, and what is in the error.
    static let floods: [(prompt: String, mebibytes: Int)] = [
        // Each line is kept, as something that nobody knows: as fast as the disk takes it.
        ("lines", 4), ("endless", 256), ("stderr", 256),
    ]

    @Test(arguments: floods) func floodsStayOutOfMemory(prompt: String, mebibytes: Int) throws {
        let size = environmentNumber("FLOOD_MEBIBYTES", default: mebibytes) << 20
        let (daemon, session, other) = try start()
        let before = ProcessTable.residentBytes(of: daemon.pid)
        try daemon.say("\(prompt) \(size)", in: session)
        var largest = 0
        var slowest = Duration.zero
        let deadline = ContinuousClock.now + .seconds(120)
        while ContinuousClock.now < deadline {
            largest = max(largest, ProcessTable.residentBytes(of: daemon.pid) - before)
            let asked = ContinuousClock.now
            let record = try daemon.record(session)
            slowest = max(slowest, ContinuousClock.now - asked)
            if record["turn"]?.isNull == true { break }
            usleep(20_000)
        }
        // What is kept takes its time: somebody ends the longest floods.
        if ContinuousClock.now >= deadline { try daemon.call("POST", "/sessions/\(session)/interrupt") }
        try daemon.settle(session, within: .seconds(60))
        let events = try daemon.events(session)
        let status = events.last { $0["kind"] == "turn_completed" }?["data"]?["status"]?.stringValue
        print(
            "flood test: \(prompt), \(size >> 20) MiB: the daemon grew by \(largest >> 20) MiB at most, "
                + "answered within \(slowest), the turn \(status ?? "?"), \(events.count) events")
        #expect(largest < 200 << 20)
        #expect(status != nil)
        #expect(events.areNumbered(from: 1))
        #expect(agentText(try daemon.turn("[[text:untouched]]", in: other)) == "untouched")
        #expect(try daemon.http("GET", "/health").status == 200)
    }

    @Test(arguments: ["closed", "memory"]) func whatBreaksTheAgentEndsItsTurn(prompt: String) throws {
        let (daemon, session, other) = try start()
        let events = try daemon.turn(prompt, in: session, within: .seconds(60))
        let error = try #require(events.first("error"), "\(events)")
        #expect(error["data"]?["code"] == "provider_crashed")
        if prompt == "memory" { #expect(error.description.contains("MemoryError")) }
        #expect(events.last { $0["kind"] == "turn_completed" }?["data"]?["status"] == "failed")
        #expect(agentText(try daemon.turn("[[text:untouched]]", in: other)) == "untouched")
        try eventually("the agent is gone", within: .seconds(30)) {
            !daemon.children.contains { ProcessTable.commandLine(of: $0.pid).contains("flood.py") }
        }
    }

    /// One that reads no more, and says nothing: a person can end it, and its memory is that of what was sent.
    @Test func aDeafAgentCanBeStopped() throws {
        let (daemon, session, other) = try start()
        try daemon.say("deaf", in: session)
        try eventually("the turn runs") { try daemon.status(session) == "running" }
        usleep(300_000)
        try daemon.call("POST", "/sessions/\(session)/interrupt")
        try daemon.call("POST", "/sessions/\(session)/stop")
        try daemon.settle(session, within: .seconds(40))
        let status = try daemon.events(session).last { $0["kind"] == "turn_completed" }?["data"]?["status"]
        #expect(status == "interrupted" || status == "failed")
        #expect(agentText(try daemon.turn("[[text:untouched]]", in: other)) == "untouched")
        try eventually("the agent is gone", within: .seconds(30)) {
            !daemon.children.contains { ProcessTable.commandLine(of: $0.pid).contains("flood.py") }
        }
    }
}

extension ProcessTable {
    static func commandLine(of pid: Int32) -> String {
        String(decoding: FileManager.default.contents(atPath: "/proc/\(pid)/cmdline") ?? Data(), as: UTF8.self)
    }
}
