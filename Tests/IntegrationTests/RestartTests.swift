import Foundation
import JSON
import TestSupport
import Testing

/// Another program takes the daemon's place in its process; nobody is turned away and nothing is lost.
@Suite(.timeLimit(.minutes(10))) struct RestartTests {
    /// A program beside the real one, in the place of an installed version.
    private func install(_ version: String, _ script: String, in daemon: TestDaemon) throws -> String {
        #if arch(x86_64)
            let platform = "linux-x64"
        #else
            let platform = "linux-arm64"
        #endif
        let program = daemon.home + "/core/\(platform)/\(version)/codeai-hub-core"
        try writeProgram(program, "#!/bin/sh\n" + script + "\n")
        for folder in ["core/\(platform)/\(version)", "core/\(platform)", "core"] {
            chmod(daemon.home + "/" + folder, 0o700)
        }
        try name(#"{"core":"\#(version)"}"#, in: daemon)
        return program
    }

    private func name(_ text: String, in daemon: TestDaemon) throws {
        try daemon.folder.write("hub/installed-versions.json", text)
    }

    /// A version of its own that is the real program otherwise; it notes how it was started.
    private static let wrapper = """
        case "$*" in
        *--version) echo "codeai-hub-core 9.9.9"; exit 0 ;;
        *--check-config) ;;
        *) echo "$$ $*" > "$0.ran" ;;
        esac
        exec "\(TestDaemon.executable)" "$@"
        """

    @Test func theSameProcessGoesOn() throws {
        let daemon = try TestDaemon.running()
        let client = try daemon.client("client")
        let session = try daemon.newSession()
        try daemon.turn("[[text:before]]", in: session)
        let (pid, records) = (daemon.pid, try daemon.events(session))
        let first = ProcessTable.openDescriptors(of: pid)
        let answer = try daemon.restartItself()
        #expect(answer["restarting"] == true)
        #expect(answer["version"] == (try daemon.http("GET", "/health").json["version"]))
        #expect(answer["program"]?.stringValue == TestDaemon.executable)
        let told = try client.frame(type: "core:restarting")
        #expect(told["payload"]?["reason"]?.stringValue?.isEmpty == false)
        var closeCode: Int?
        for _ in 0..<100 where closeCode == nil {
            if case .close(let code, _) = try client.receive() { closeCode = code }
        }
        #expect(closeCode == 1012)

        #expect(daemon.pid == pid)
        let endpoint = try JSON.parse(try #require(daemon.folder.read("hub/core/endpoint.json")))
        #expect(endpoint["pid"]?.intValue == Int(pid))
        #expect(endpoint["port"]?.intValue == Int(daemon.port))
        #expect(endpoint["instanceId"] == (try daemon.http("GET", "/status").json["core"]?["instanceId"]))
        #expect(endpoint["instanceId"] != answer["instanceId"])
        // A process that ran for an idle session was ended, and that is all that happened.
        let after = try daemon.events(session)
        #expect(Array(after.prefix(records.count)) == records)
        #expect(after.dropFirst(records.count).allSatisfy { $0["data"]?["type"] == "process_exited" })
        #expect(agentText(try daemon.turn("[[text:after]]", in: session)) == "after")

        // The home is never free in between, and nothing piles up.
        let second = try TestDaemon(environment: ["CODEAI_HUB_HOME": daemon.home])
        for _ in 0..<3 { try daemon.restartItself() }
        #expect(try second.runToEnd().code == 3)
        try eventually("descriptors: \(first), then \(ProcessTable.openDescriptors(of: pid))") {
            ProcessTable.openDescriptors(of: pid) <= first
        }
        #expect(try daemon.stop().code == 0)
        #expect(daemon.survivors.isEmpty)
        #expect(daemon.folder.read("hub/core/endpoint.json") == nil)
    }

    @Test func theInstalledVersionIsStartedAsThisOneWas() throws {
        let daemon = try TestDaemon()
        daemon.arguments = ["--host", "127.0.0.1", "--config", daemon.home + "/core/other.json"]
        try daemon.folder.write("hub/core/other.json", #"{"schemaVersion":1,"limits":{"maxClients":7}}"#)
        try daemon.start()
        let program = try install("9.9.9", Self.wrapper, in: daemon)
        let (pid, port) = (daemon.pid, daemon.port)
        let answer = try daemon.restartItself()
        #expect(answer["version"] == "9.9.9")
        #expect(answer["program"]?.stringValue == program)
        let ran = try String(contentsOfFile: program + ".ran", encoding: .utf8)
        #expect(ran == "\(pid) \(daemon.arguments.joined(separator: " "))\n")
        #expect(daemon.pid == pid)
        #expect(daemon.port == port)
        // The environment is what it was: nothing of the hand-over is left in it.
        #expect(try daemon.call("GET", "/settings")["limits"]?["maxClients"] == 7)
        try name("{}", in: daemon)
        #expect(try daemon.restartItself()["program"]?.stringValue == TestDaemon.executable)
    }

    @Test(arguments: [
        (#"{"core":"#, "JSON"), (#"{"core":"../../../bin"}"#, "version"), (#"{"core":7}"#, "version"),
        (#"{"core":"1.2.3"}"#, "1.2.3"), ("exit 3", "exit code 3"), ("sleep 60", "has not ended"),
        ("echo; exit 0", "says no version"), ("open to others", "others"), ("broken configuration", "config.json"),
    ])
    func whatCantRunIsRefused(what: String, message: String) throws {
        let daemon = try TestDaemon.running()
        let client = try daemon.client("client")
        if what.hasPrefix("{") {
            try name(what, in: daemon)
        } else if what == "open to others" {
            chmod(try install("1.0.0", Self.wrapper, in: daemon), 0o777)
        } else if what == "broken configuration" {
            try daemon.folder.write("hub/core/config.json", "{\n  oops")
        } else {
            _ = try install("1.0.0", what, in: daemon)
        }
        let before = try daemon.http("GET", "/health").json["instanceId"]
        let refused = try daemon.http("POST", "/api/v1/core/restart", within: .seconds(20))
        #expect(refused.status == 409)
        #expect(refused.errorCode == "restart_refused")
        #expect(refused.text.contains(message), Comment(rawValue: refused.text))
        // Nothing has changed: the same daemon, the same client, and it still works.
        #expect(try daemon.http("GET", "/health").json["instanceId"] == before)
        let session = try daemon.newSession()
        try daemon.say("[[text:works]]", in: session)
        _ = try client.collectTurn(of: session)
        #expect(try daemon.http("GET", "/health").json["clients"] == 1)
    }

    @Test func whenItCantBeExecutedAfterAllTheOldOneGoesOn() throws {
        let daemon = try TestDaemon.running()
        let program = try install("9.9.9", Self.wrapper, in: daemon)
        let session = try daemon.newSession()
        try daemon.say("[[stall:1]][[text:done]]", in: session)
        let answer = try daemon.call("POST", "/core/restart")
        #expect(answer["version"] == "9.9.9")
        try FileManager.default.removeItem(atPath: program)
        try daemon.awaitSuccessor(of: answer["instanceId"])
        #expect(agentText(try daemon.events(session)).contains("done"))
        #expect(daemon.folder.read("hub/logs/core.log")?.contains("the old program goes on") == true)
        #expect(agentText(try daemon.turn("[[text:on]]", in: session)) == "on")
    }

    /// Planned, it is no accident: turns end as they would, and what waits goes on by itself.
    @Test func turnsEndAndTheQueueGoesOn() throws {
        let daemon = try TestDaemon.running()
        let session = try daemon.newSession()
        try daemon.turn("[[text:ready]]", in: session)
        try daemon.say("[[stall:1]][[text:first]]", in: session)
        try daemon.say("[[text:second]]", in: session)
        let answer = try daemon.call("POST", "/core/restart")
        // Also what is written meanwhile.
        let late = try daemon.say("[[text:third]]", in: session, id: "late")
        #expect(late["queued"] == true)
        let another = try daemon.newSession()
        try daemon.say("[[text:elsewhere]]", in: another)
        // The next asks for what is under way already.
        #expect(try daemon.call("POST", "/core/restart")["instanceId"] == answer["instanceId"])
        try daemon.awaitSuccessor(of: answer["instanceId"])
        try daemon.settle(session)
        try daemon.settle(another)
        let records = try daemon.events(session)
        #expect(agentText(records) == "ready\nfirst\nsecond\nthird")
        #expect(records.of("turn_completed").allSatisfy { $0["data"]?["status"] == "completed" })
        #expect(records.areNumbered(from: 1))
        #expect(agentText(try daemon.events(another)) == "elsewhere")
        #expect(try daemon.say("[[text:third]]", in: session, id: "late")["duplicate"] == true)
    }

    @Test func whatWaitsBehindATurnThatIsCutOffIsHeld() throws {
        let daemon = try TestDaemon.running()
        let session = try daemon.newSession()
        try daemon.turn("[[text:ready]]", in: session)
        try daemon.say("[[stall:60]]", in: session)
        try daemon.say("[[text:second]]", in: session)
        try daemon.restartItself(graceMs: 200)
        let record = try daemon.record(session)
        #expect(record["held"] == true)
        #expect(record["queue"]?.arrayValue?.count == 1)
        let cut = try #require(try daemon.events(session).of("turn_completed").last)
        #expect(cut["data"]?["status"] == "interrupted")
        try daemon.call("POST", "/sessions/\(session)/resume")
        try daemon.settle(session)
        #expect(agentText(try daemon.events(session)).contains("second"))
    }

    @Test func whoWantsAStopMeanwhileGetsIt() throws {
        let daemon = try TestDaemon.running()
        let session = try daemon.newSession()
        try daemon.turn("[[text:ready]]", in: session)
        try daemon.say("[[stall:1]][[text:first]]", in: session)
        try daemon.say("[[text:second]]", in: session)
        try daemon.call("POST", "/core/restart")
        #expect(try daemon.stop().code == 0)
        #expect(daemon.survivors.isEmpty)
        #expect(daemon.folder.read("hub/core/endpoint.json") == nil)
        try daemon.start()
        #expect(try daemon.record(session)["held"] == true)
        #expect(agentText(try daemon.events(session)) == "ready\nfirst")
    }

    @Test func connectionsAreKept() throws {
        let daemon = try TestDaemon.running()
        func request(_ path: String = "/health") -> String {
            "GET \(path) HTTP/1.1\r\nHost: \(daemon.authority)\r\n\r\n"
        }
        // Threads that such requests start are no hindrance.
        try daemon.call("PATCH", "/settings", ["log": ["level": "info"]])
        #expect(try daemon.http("GET", "/api/v1/diagnostics").status == 200)
        let used = try RawConnection(port: daemon.port)
        try used.send(request())
        let before = try #require(try used.response()).json["instanceId"]
        // Nothing was said on this one yet, half a request on that one, and a request waits behind another on the third.
        let fresh = try RawConnection(port: daemon.port)
        let half = try RawConnection(port: daemon.port)
        try half.send(String(request().prefix(30)))
        let stream = try RawConnection(port: daemon.port)
        let session = try daemon.newSession()
        try stream.send(
            "GET /api/v1/sessions/\(session)/events HTTP/1.1\r\nHost: \(daemon.authority)\r\nAccept: text/event-stream\r\n\r\n"
        )
        _ = try stream.take(through: "\n\n")
        let answer = try daemon.call("POST", "/core/restart")
        usleep(300_000)
        try half.send(String(request().dropFirst(30)))
        #expect(try half.response()?.json["instanceId"] == before)
        try half.send(request() + request())
        try daemon.awaitSuccessor(of: answer["instanceId"])
        for connection in [used, fresh] {
            try connection.send(request())
            let response = try #require(try connection.response())
            #expect(response.status == 200)
            #expect(response.json["instanceId"] != before)
        }
        for _ in 0..<2 { #expect(try half.response()?.status == 200) }
        // A stream of events ends as it should, so that its client comes back.
        #expect(stream.isEnded())
    }

    // MARK: Sockets of a service manager

    private func listeningSocket() throws -> (fd: Int32, port: UInt16) {
        let fd = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let isListening = withUnsafeMutablePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(fd, $0, length) == 0 && listen(fd, 16) == 0 && getsockname(fd, $0, &length) == 0
            }
        }
        guard isListening else { throw TestFailure("no socket: \(String(cString: strerror(errno)))") }
        return (fd, UInt16(bigEndian: address.sin_port))
    }

    @Test func aServiceManagersSocketIsUsed() throws {
        let (fd, port) = try listeningSocket()
        defer { close(fd) }
        let daemon = try TestDaemon(configuration: ["lifecycle": ["idleShutdown": 0.5]])
        daemon.descriptors = [fd]
        // Whoever comes first has the daemon started, and is answered.
        let early = try RawConnection(port: port)
        try early.send("GET /health HTTP/1.1\r\nHost: 127.0.0.1:\(port)\r\nConnection: close\r\n\r\n")
        try daemon.start()
        #expect(daemon.port == port)
        #expect(try early.response()?.status == 200)
        try daemon.restartItself()
        #expect(daemon.port == port)
        // Whoever looks after it ends it: it doesn't by itself.
        usleep(1_500_000)
        #expect(try daemon.http("GET", "/health").status == 200)
        #expect(try daemon.stop().code == 0)
    }

    @Test func whatCantBeListenedOnIsRefused() throws {
        let stream = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        let datagram = socket(AF_INET, Int32(SOCK_DGRAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        let local = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        let file = open("/dev/null", O_RDONLY | O_CLOEXEC)
        let good = try listeningSocket().fd
        defer { for fd in [stream, datagram, local, file, good] { close(fd) } }
        for fd in [stream, datagram, local, file] {
            let daemon = try TestDaemon()
            daemon.descriptors = [good, fd]
            let exit = try daemon.runToEnd()
            #expect(exit.code == 5)
            #expect(exit.log.contains("descriptor 4"), Comment(rawValue: exit.log))
        }
        let daemon = try TestDaemon(environment: ["LISTEN_FDS": "3"])
        daemon.descriptors = [good]
        #expect(try daemon.runToEnd().code == 5)
        // Meant for another process: no business of ours.
        let other = try TestDaemon(environment: ["LISTEN_FDS": "1", "LISTEN_PID": "1"])
        other.descriptors = [file]
        try other.start()
        #expect(try other.stop().code == 0)
    }

    /// Names that only a daemon gives are worth nothing without the lock that only a daemon has.
    @Test func nobodyPosesAsThePredecessor() throws {
        let (fd, port) = try listeningSocket()
        let connection = try RawConnection(port: port)
        defer { close(fd) }
        let accepted = accept(fd, nil, nil)
        // Other tests start processes meanwhile.
        _ = fcntl(accepted, F_SETFD, FD_CLOEXEC)
        let daemon = try TestDaemon(environment: ["LISTEN_FDNAMES": "hub-listening:hub-connection"])
        daemon.descriptors = [fd, accepted]
        try daemon.start()
        #expect(daemon.port == port)
        close(accepted)
        #expect(connection.isEnded())
        // Nor is any file the lock.
        let lock = open("/dev/null", O_RDWR | O_CLOEXEC)
        defer { close(lock) }
        let second = try TestDaemon(
            environment: ["LISTEN_FDNAMES": "hub-lock", "CODEAI_HUB_HOME": daemon.home])
        second.descriptors = [lock]
        #expect(try second.runToEnd().code == 3)
    }

    // MARK: The person's tool

    @Test func thePersonsToolRestartsAndStops() throws {
        let daemon = try TestDaemon.running()
        let before = try daemon.http("GET", "/health").json["instanceId"]
        let restarted = try daemon.tool(["restart", "--json"])
        #expect(restarted.code == 0)
        let json = try JSON.parse(restarted.output)
        #expect(json["restarted"] == true)
        #expect(json["from"]?["instanceId"] == before)
        #expect(json["to"]?["instanceId"] == (try daemon.http("GET", "/health").json["instanceId"]))
        #expect(json["pid"]?.intValue == Int(daemon.pid))
        #expect(json["port"]?.intValue == Int(daemon.port))
        let text = try daemon.tool(["restart", "--grace", "100"])
        #expect(text.code == 0)
        #expect(text.output.contains("was restarted"))
        #expect(try daemon.tool(["restart", "--grace", "soon"]).code == 2)
        try name("nonsense", in: daemon)
        let refused = try daemon.tool(["restart", "--json"])
        #expect(refused.code == 1)
        #expect(try JSON.parse(refused.output)["error"]?["code"] == "restart_refused")
        #expect(try daemon.tool(["status", "--json"]).code == 0)
        #expect(try JSON.parse(daemon.tool(["stop", "--json"]).output)["stopped"] == true)
        #expect(try daemon.waitForExit().code == 0)
    }

    /// Both of two clients that come at once get the same daemon, which one of them has started.
    @Test func theFirstClientStartsTheDaemon() throws {
        let daemon = try TestDaemon()
        daemon.environment["CODEAI_HUB_CORE"] = TestDaemon.executable
        let both = (0..<2).map { _ in Later { try? daemon.tool(["start", "--json"]) } }
        let answers = try both.map { later in
            let answer = try #require(later.value(within: 30) ?? nil)
            #expect(answer.code == 0)
            return try JSON.parse(answer.output)
        }
        let pid = Int32(answers[0]["pid"]?.intValue ?? 0)
        defer { if pid > 0 { kill(pid, SIGKILL) } }
        #expect(answers[1]["pid"] == answers[0]["pid"])
        #expect(answers.count { $0["started"] == true } == 1)
        let again = try JSON.parse(daemon.tool(["restart", "--json"]).output)
        #expect(again["pid"]?.intValue == Int(pid))
        #expect(try daemon.tool(["stop"]).code == 0)
        #expect(try daemon.tool(["status"]).code == 3)
        // With none to restart there is one to start.
        let anew = try JSON.parse(daemon.tool(["restart", "--json"]).output)
        #expect(anew["restarted"] == false)
        #expect(try daemon.tool(["stop"]).code == 0)
    }
}
