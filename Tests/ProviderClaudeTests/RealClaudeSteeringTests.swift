import Foundation
import HubProtocol
import JSON
import Processes
import ProviderClaude
import Providers
import TestSupport
import Testing

extension RealClaudeTests {
    /// Messages that come while Claude works: added to the turn, taken back, waiting behind a background task's turn.
    @Suite struct Steering {
        private static let tool =
            #"[[tool:Bash {"command":"for i in 1 2; do python3 -c 'import time; time.sleep(0.5)'; done","description":"t"}]]"#

        /// Lets a tool run that takes a second.
        private func beginTool(_ conversation: Conversation, then rest: String) throws {
            conversation.send(Self.tool + " " + rest)
            let request = try conversation.permission()
            conversation.call { $0.answerPermission(request.requestId, .option("allow_once"), message: nil) }
        }

        /// The text of all requests so far.
        private func asked(_ text: String, _ conversation: Conversation) -> Bool {
            conversation.api.requests.contains { $0.body["messages"]?.description.contains(text) == true }
        }

        @Test func aMessageIsAddedAtTheNextToolBoundary() throws {
            let conversation = try Conversation()
            defer { conversation.close() }
            try beginTool(conversation, then: "[[text:end]]")
            #expect(
                conversation.steer(
                    Prompt(
                        "mind the gap",
                        attachments: [
                            Attachment(mediaType: "image/png", content: .data(base64: Prompts.image))
                        ])))
            #expect(try conversation.turnEnd().status == .completed)
            // Before the model spoke again, within the one turn.
            let last = try #require(conversation.api.scripted.last?.body["messages"]?.description)
            #expect(last.contains("mind the gap") && last.contains(Prompts.image))
            #expect(conversation.texts == ["end"])
            conversation.send("[[text:next]]")
            #expect(try conversation.turnEnd().status == .completed)
            #expect(conversation.turnEnds == 2)
            let extra = conversation.all.filter { if case .turnStarted = $0 { true } else { false } }
            #expect(extra.isEmpty)
        }

        @Test func messagesThatFindNoBoundaryAreAnsweredWithinTheTurn() throws {
            let conversation = try Conversation()
            defer { conversation.close() }
            conversation.send("[[slow:0.03x30]]")
            try conversation.chunk()
            #expect(conversation.steer("first [[text:answer]]"))
            #expect(conversation.steer("second [[text:of both]]"))
            #expect(try conversation.status("turn_extended")["messages"] == 2)
            let outcome = try conversation.turnEnd()
            #expect(outcome.status == .completed)
            // Of both requests that it took.
            #expect(outcome.usage?.output == 20)
            #expect(Array(conversation.texts.dropFirst()) == ["answer", "of both"])
            #expect(conversation.turnEnds == 1)
        }

        @Test func whenNothingRunsNothingIsAdded() throws {
            let conversation = try Conversation()
            defer { conversation.close() }
            #expect(!conversation.steer("too early"))
            conversation.send("[[text:one]]")
            _ = try conversation.turnEnd()
            #expect(!conversation.steer("too late"))
            conversation.send("[[slow:0.05x100]]")
            try conversation.chunk()
            conversation.interrupt()
            #expect(!conversation.steer("after the interrupt"))
            #expect(try conversation.turnEnd().status == .interrupted)
            #expect(!asked("too early", conversation) && !asked("too late", conversation))
        }

        @Test("An interrupt takes along what was added", arguments: [false, true])
        func interruptAfterSteer(_ inTool: Bool) throws {
            let conversation = try Conversation()
            defer { conversation.close() }
            if inTool {
                try beginTool(conversation, then: "[[text:end]]")
            } else {
                conversation.send("[[slow:0.05x100]]")
                try conversation.chunk()
            }
            #expect(conversation.steer("never mind [[text:wrong]]"))
            conversation.interrupt()
            #expect(try conversation.status("steer_withdrawn")["content"] == "never mind [[text:wrong]]")
            #expect(try conversation.turnEnd().status == .interrupted)
            conversation.send("[[text:next]]")
            #expect(try conversation.message() == "next")
            #expect(try conversation.turnEnd().status == .completed)
            #expect(conversation.turnEnds == 2 && !asked("never mind", conversation))
        }

        /// Wherever in a turn's last moments the message comes, it is answered or refused, and each turn ends once.
        @Test func aMessageAtTheVeryEndIsAnsweredOrRefused() throws {
            let conversation = try Conversation()
            defer { conversation.close() }
            conversation.send("[[text:warm]]")
            _ = try conversation.turnEnd()
            var accepted: [String] = []
            let rounds = 24
            for round in 0..<rounds {
                conversation.send("[[slow:0.005x8]]")
                try conversation.chunk()
                usleep(UInt32(round * 3000))
                if conversation.steer(Prompt("[[text:late\(round)]]")) { accepted.append("late\(round)") }
                #expect(try conversation.turnEnd().status == .completed)
            }
            #expect(conversation.turnEnds == rounds + 1)
            let answers = conversation.texts.filter { $0.hasPrefix("late") }
            #expect(answers == accepted && !accepted.isEmpty)
            let extra = conversation.all.filter { if case .turnStarted = $0 { true } else { false } }
            #expect(extra.isEmpty)
        }

        @Test func anInterruptRightAfterTheMessageEndsTheTurnOnce() throws {
            let conversation = try Conversation()
            defer { conversation.close() }
            conversation.send("[[text:warm]]")
            _ = try conversation.turnEnd()
            for round in 0..<8 {
                conversation.send("[[slow:0.05x100]]")
                usleep(UInt32(round * 2000))
                conversation.interrupt()
                #expect(try conversation.turnEnd().status == .interrupted)
            }
            conversation.send("[[text:alive]]")
            #expect(try conversation.turnEnd().status == .completed)
            #expect(conversation.texts.last == "alive" && conversation.turnEnds == 10)
        }

        // MARK: Behind a background task's turn

        /// A turn of nobody's runs when this returns.
        private func wake(_ conversation: Conversation) throws {
            conversation.send(
                #"[[tool:Bash {"command":"sleep 1; echo bg","description":"bg","run_in_background":true}]] [[slow:0.05x30]]"#
            )
            _ = try conversation.turnEnd()
            let reason = try conversation.next("turn_started") {
                if case .turnStarted(let reason) = $0 { reason } else { nil }
            }
            #expect(reason == "background_task")
            try conversation.chunk()
        }

        @Test func aMessageWaitsBehindABackgroundTasksTurn() throws {
            let conversation = try Conversation()
            defer { conversation.close() }
            try wake(conversation)
            conversation.send("[[text:mine]]")
            #expect(
                try conversation.status("background_turn_completed")["origin"]?["kind"] == "task-notification")
            #expect(try conversation.message() == "mine")
            let outcome = try conversation.turnEnd()
            #expect(outcome.status == .completed && outcome.usage?.output == 10)
            #expect(conversation.turnEnds == 2)
        }

        @Test("One that waits is taken back by an interrupt", arguments: [0, 20, 200])
        func withdrawal(_ milliseconds: Int) throws {
            let conversation = try Conversation()
            defer { conversation.close() }
            try wake(conversation)
            conversation.send("[[text:mine]]")
            usleep(UInt32(milliseconds * 1000))
            conversation.interrupt()
            _ = try conversation.status("background_turn_completed")
            let outcome = try conversation.turnEnd()
            #expect(outcome.status == .interrupted && outcome.stopReason == "withdrawn")
            conversation.send("[[text:next]]")
            #expect(try conversation.message() == "next")
            #expect(try conversation.turnEnd().status == .completed)
            #expect(conversation.turnEnds == 3 && !asked("[[text:mine]]", conversation))
            let started = conversation.all.count { if case .turnStarted = $0 { true } else { false } }
            #expect(started == 1)
        }

        @Test func aMessageCanBeAddedToABackgroundTasksTurn() throws {
            let conversation = try Conversation()
            defer { conversation.close() }
            try wake(conversation)
            #expect(conversation.steer("[[text:and mine]]"))
            let outcome = try conversation.turnEnd()
            #expect(outcome.status == .completed)
            #expect(conversation.texts.last == "and mine" && conversation.turnEnds == 2)
        }
    }
}
