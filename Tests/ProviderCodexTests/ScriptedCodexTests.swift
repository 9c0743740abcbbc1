import Foundation
import HubProtocol
import JSON
import Processes
import ProviderCodex
import Providers
import TestSupport
import Testing

/// The adapter with a program that does what Codex should not.
struct ScriptedCodexTests {
    private func stage(_ opening: String = "", limits: CodexServer.Limits = CodexServer.Limits()) throws -> (
        CodexStage, TemporaryFolder
    ) {
        let folder = try TemporaryFolder("codex")
        return (try CodexStage(program: FakeCodex.make(in: folder.path, opening: opening), limits: limits), folder)
    }

    private var shortLimits: CodexServer.Limits {
        var limits = CodexServer.Limits()
        limits.interruptTime = .milliseconds(300)
        limits.teardown = TeardownLadder(polite: .milliseconds(300), terminate: .milliseconds(300))
        limits.modelListTime = .milliseconds(300)
        return limits
    }

    @Test func answersMayComeInAnyOrder() throws {
        let (stage, folder) = try stage()
        defer { withExtendedLifetime(folder) { stage.close() } }
        let live = stage.open()
        live.send("late answer")
        // What was said about the thread before its identifier was known isn't lost.
        #expect(try live.ready().nativeSessionId == "thread-1")
        #expect(try live.status("warning")["message"] == "early")
        #expect(try live.turnEnd().status == .completed)
        live.send("and on")
        #expect(try live.message() == "and on")
        #expect(try live.turnEnd().status == .completed)
        let partial = live.all.contains {
            if case .message(let m) = $0 { m.isPartial && m.text == "quick" } else { false }
        }
        #expect(partial)
    }

    @Test func garbageIsKeptAndHarmsNothing() throws {
        let (stage, folder) = try stage()
        defer { withExtendedLifetime(folder) { stage.close() } }
        let live = stage.open()
        live.send("garbage")
        #expect(try live.turnEnd().status == .completed)
        let customs = live.all.compactMap { if case .custom(let type, _) = $0 { type } else { nil } }
        #expect(
            customs == [
                "unparsed_output", "unparsed_output", "item/completed", "turn/completed", "item/started:somethingNew",
                "nobody/knows", "nobody/knows", "turn/completed",
            ])
        live.send("and on")
        #expect(try live.turnEnd().status == .completed)
    }

    @Test func aLineThatIsTooLongIsPassedOver() throws {
        var limits = CodexServer.Limits()
        limits.lineBytes = 4096
        let (stage, folder) = try stage("line('x' * 9000)", limits: limits)
        defer { withExtendedLifetime(folder) { stage.close() } }
        let live = stage.open()
        live.send("hello")
        #expect(try live.turnEnd().status == .completed)
        let said = live.all.contains {
            if case .custom("oversized_output", let d) = $0 { d["bytes"] == 9000 } else { false }
        }
        #expect(said)
    }

    @Test func aRefusedTurnFails() throws {
        let (stage, folder) = try stage()
        defer { withExtendedLifetime(folder) { stage.close() } }
        let live = stage.open()
        live.send("refuse")
        let failure = try live.failure()
        #expect(failure.code == "invalid_request" && failure.message.contains("not that"))
        #expect(try live.turnEnd().status == .failed)
        live.send("and on")
        #expect(try live.turnEnd().status == .completed)
    }

    @Test func whatIsAddedTooLateIsSentAfterAll() throws {
        let (stage, folder) = try stage()
        defer { withExtendedLifetime(folder) { stage.close() } }
        let live = stage.open()
        live.send("hang")
        _ = try live.next("chunk") { if case .chunk = $0 { true } else { nil } }
        let isTaken = try live.ask { session in session.steer("late words") }
        #expect(isTaken)
        #expect(try live.status("turn_extended")["messages"] == 1)
        #expect(try live.message() == "late words")
        #expect(try live.turnEnd().status == .completed)
        live.send("and on")
        #expect(try live.message() == "and on")
        _ = try live.turnEnd()
        let ends = live.all.count { if case .turnCompleted = $0 { true } else { false } }
        #expect(ends == 2)
    }

    @Test func aTurnOfItsOwnDoesNotEndTheOneThatWaits() throws {
        let (stage, folder) = try stage()
        defer { withExtendedLifetime(folder) { stage.close() } }
        let live = stage.open()
        live.send("wake")
        _ = try live.turnEnd()
        _ = try live.next("turn_started") { if case .turnStarted = $0 { true } else { nil } }
        let isSent = try live.ask { session in
            session.send(Prompt("and on"), turnId: "t2")
            return true
        }
        #expect(isSent)
        try "".write(toFile: stage.workspace + "/go", atomically: true, encoding: .utf8)
        #expect(try live.status("background_turn_completed")["status"] == "completed")
        #expect(try live.message() == "and on")
        #expect(try live.turnEnd().status == .completed)
        #expect(live.all.count { if case .turnCompleted = $0 { true } else { false } } == 2)
    }

    @Test func anAdditionThatIsNeverAnsweredIsGivenUpByAnInterrupt() throws {
        let (stage, folder) = try stage(limits: shortLimits)
        defer { withExtendedLifetime(folder) { stage.close() } }
        let live = stage.open()
        live.send("deaf to additions")
        _ = try live.next("chunk") { if case .chunk = $0 { true } else { nil } }
        let isTaken = try live.ask { session in session.steer(Prompt("late words")) }
        #expect(isTaken)
        _ = try live.next("message") { if case .message = $0 { true } else { nil } }
        live.interrupt()
        _ = try live.status("interrupt_escalated")
        guard case .exited = try live.waitForEnd() else {
            Issue.record("it did not end")
            return
        }
    }

    @Test func aTurnEndsOnce() throws {
        let (stage, folder) = try stage()
        defer { withExtendedLifetime(folder) { stage.close() } }
        let live = stage.open()
        live.send("twice")
        _ = try live.turnEnd()
        live.send("and on")
        _ = try live.turnEnd()
        let ends = live.all.count { if case .turnCompleted = $0 { true } else { false } }
        #expect(ends == 2)
    }

    @Test func aCrashInATurnReachesEverySession() throws {
        let (stage, folder) = try stage()
        defer { withExtendedLifetime(folder) { stage.close() } }
        let first = stage.open()
        let second = stage.open()
        _ = try first.ready()
        _ = try second.ready()
        first.send("crash")
        let began = ContinuousClock().now
        for live in [first, second] {
            guard case .exited(.exited(7), let tail) = try live.waitForEnd() else {
                Issue.record("no crash")
                continue
            }
            #expect(tail.contains("something broke"))
        }
        #expect(ContinuousClock().now - began < .seconds(5))
        let partial = first.all.contains {
            if case .message(let m) = $0 { m.text == "half a wo" && m.isPartial } else { false }
        }
        #expect(partial)
        // The next one gets a new server.
        let third = stage.open()
        third.send("and on")
        #expect(try third.turnEnd().status == .completed)
    }

    @Test(arguments: ["hang", "hang and ignore"])
    func anInterruptThatIsIgnoredEndsTheProcess(_ how: String) throws {
        let (stage, folder) = try stage(limits: shortLimits)
        defer { withExtendedLifetime(folder) { stage.close() } }
        let live = stage.open()
        live.send(how)
        _ = try live.next("chunk") { if case .chunk = $0 { true } else { nil } }
        live.interrupt()
        _ = try live.status("interrupt_escalated")
        guard case .exited = try live.waitForEnd() else {
            Issue.record("not ended")
            return
        }
        try eventually("no process is left", within: .seconds(5)) { processes(of: stage).isEmpty }
    }

    @Test func aSessionThatCannotLeaveEndsTheServer() throws {
        let (stage, folder) = try stage(limits: shortLimits)
        defer { withExtendedLifetime(folder) { stage.close() } }
        let live = stage.open()
        let other = stage.open()
        _ = try other.ready()
        live.send("hang")
        _ = try live.next("chunk") { if case .chunk = $0 { true } else { nil } }
        #expect(live.close() == .stopped)
        guard case .exited = try other.waitForEnd() else {
            Issue.record("the other goes on with a server that hangs")
            return
        }
    }

    @Test func whatNobodyHasToDecideIsAnsweredAtOnce() throws {
        let (stage, folder) = try stage()
        defer { withExtendedLifetime(folder) { stage.close() } }
        let live = stage.open()
        live.send("ask oddly")
        let request = try live.permission()
        #expect(request.options.map(\.optionId) == ["accept", "acceptForSession", "decline", "cancel"])
        func answer() throws -> JSON {
            try live.next("answer") { if case .custom("heard/answer", let d) = $0 { d["answer"] } else { nil } }
        }
        let refusal = try answer()
        #expect(refusal["id"] == 5 && refusal["error"]?["code"] == -32601)
        let time = try answer()
        #expect(time["id"] == 6 && (time["result"]?["currentTimeAt"]?.intValue ?? 0) > 1_700_000_000)
        live.allow(request, "acceptForSession")
        let decision = try answer()
        #expect(decision["id"] == "s1" && decision["result"]?["decision"] == "acceptForSession")
    }

    @Test(
        "A program that is none is said to be none",
        arguments: [
            "sys.stderr.write('no such thing\\n'); sys.exit(3)", "time.sleep(60)", "line('hello'); sys.exit(0)",
        ])
    func noServer(_ opening: String) throws {
        var limits = shortLimits
        limits.startTime = .milliseconds(1500)
        let (stage, folder) = try stage(opening, limits: limits)
        defer { withExtendedLifetime(folder) { stage.close() } }
        let live = stage.open()
        let other = stage.open()
        for live in [live, other] {
            guard case .failedToStart(let failure) = try live.waitForEnd() else {
                Issue.record("started")
                continue
            }
            #expect(failure.code == "provider_start_failed")
        }
        try eventually("no process is left", within: .seconds(5)) { processes(of: stage).isEmpty }
    }

    @Test func aProgramThatIsGoneIsNotInstalled() throws {
        let stage = try CodexStage(program: "/nonexistent/codex")
        defer { stage.close() }
        let live = stage.open()
        guard case .failedToStart(let failure) = try live.waitForEnd() else {
            Issue.record("started")
            return
        }
        #expect(failure.code == "provider_not_installed")
    }

    @Test func toStopWhileStartingIsHeard() throws {
        let (stage, folder) = try stage("time.sleep(60)", limits: shortLimits)
        defer { withExtendedLifetime(folder) { stage.close() } }
        let first = stage.open()
        // In another workspace: it waits for the first to have started.
        let second = stage.open(workspace: stage.home)
        #expect(second.close() == .stopped)
        #expect(first.close() == .stopped)
        try eventually("no process is left", within: .seconds(5)) { processes(of: stage).isEmpty }
    }

    @Test func aHeldMessageCanBeTakenBack() throws {
        let (stage, folder) = try stage("time.sleep(0.5)")
        defer { withExtendedLifetime(folder) { stage.close() } }
        let live = stage.open()
        live.send("never")
        live.interrupt()
        let outcome = try live.turnEnd()
        #expect(outcome.status == .interrupted && outcome.stopReason == "not_sent")
        live.send("and on")
        #expect(try live.turnEnd().status == .completed)
        #expect(try live.ask { $0.capabilities.steer })
    }
}
