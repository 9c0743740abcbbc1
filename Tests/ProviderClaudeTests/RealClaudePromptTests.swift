import Foundation
import HubProtocol
import JSON
import Processes
import ProviderClaude
import Providers
import TestSupport
import Testing

extension RealClaudeTests {
    /// What a conversation begins with: attachments, carried context, forks, effort.
    @Suite struct Prompts {
        /// Two by two pixels, red.
        static let image =
            "iVBORw0KGgoAAAANSUhEUgAAAAIAAAACCAIAAAD91JpzAAAAEElEQVR4nGP4z8AARAwQCgAf7gP9i18U1AAAAABJRU5ErkJggg=="
        static let pdf = Data("%PDF-1.4\n1 0 obj<</Type/Catalog>>endobj\ntrailer<</Root 1 0 R>>\n%%EOF".utf8)
            .base64EncodedString()

        /// The blocks of the last user message that the API was sent, without Claude's own remarks.
        private func sentBlocks(_ conversation: Conversation) throws -> [JSON] {
            let messages = try #require(conversation.api.scripted.last?.body["messages"]?.arrayValue)
            let user = try #require(messages.last { $0["role"]?.stringValue == "user" })
            return (user["content"]?.arrayValue ?? []).filter {
                let text = $0["text"]?.stringValue ?? ""
                return !text.hasPrefix("<system-reminder>") && !text.hasPrefix("[Image: source:")
            }
        }

        @Test func attachmentsAndContextReachTheModelInOrder() throws {
            let conversation = try Conversation()
            defer { conversation.close() }
            conversation.send(
                Prompt(
                    "[[text:seen]]",
                    attachments: [
                        Attachment(name: "a.png", mediaType: "image/png", content: .data(base64: Self.image)),
                        Attachment(name: "b.pdf", mediaType: "application/pdf", content: .data(base64: Self.pdf)),
                        Attachment(name: "c.txt", mediaType: "text/plain", content: .text("the file's words")),
                        Attachment(mediaType: "text/plain", content: .link(uri: "file:///tmp/d.md")),
                        Attachment(name: "e.bin", mediaType: "application/zip", content: .data(base64: "UEsDBA==")),
                    ], context: "said elsewhere"))
            #expect(try conversation.message() == "seen")
            #expect(try conversation.turnEnd().status == .completed)
            let blocks = try sentBlocks(conversation)
            #expect(
                blocks.map { $0["type"]?.stringValue }
                    == ["text", "image", "document", "document", "text", "text", "text"])
            #expect(blocks.first?["text"] == "said elsewhere")
            #expect(blocks[1]["source"] == ["type": "base64", "media_type": "image/png", "data": JSON(Self.image)])
            #expect(blocks[2]["source"]?["data"]?.stringValue == Self.pdf && blocks[2]["title"] == "b.pdf")
            #expect(blocks[3]["source"]?["data"] == "the file's words" && blocks[3]["title"] == "c.txt")
            #expect(blocks[4]["text"] == "[Attached: file:///tmp/d.md]")
            #expect(blocks[5]["text"]?.stringValue?.contains("can't take it: e.bin") == true)
            #expect(blocks[6]["text"]?.stringValue?.hasPrefix("[[text:seen]]") == true)
        }

        @Test func anImageNeedsNoWords() throws {
            let conversation = try Conversation()
            defer { conversation.close() }
            conversation.send(
                Prompt("", attachments: [Attachment(mediaType: "image/png", content: .data(base64: Self.image))]))
            #expect(try conversation.message() == "plain answer")
            #expect(try conversation.turnEnd().status == .completed)
        }

        @Test func aForkKnowsWhatWasSaidAndLeavesTheOriginalAlone() throws {
            let original = try Conversation()
            defer { original.close() }
            original.send("remember 45 [[text:ok]]")
            let id = try original.ready().nativeSessionId
            _ = try original.turnEnd()
            original.closeKeeping()

            let forkId = UUID().uuidString.lowercased()
            let fork = try Conversation(after: original, resume: id, sessionId: forkId, forks: true)
            fork.send("only in the fork [[text:forked]]")
            let ready = try fork.ready()
            #expect(ready.nativeSessionId == forkId && forkId != id)
            #expect(try fork.turnEnd().status == .completed)
            #expect(said("remember 45", original.api))
            fork.close()

            let again = try Conversation(after: original, resume: id)
            again.send("[[text:original]]")
            #expect(try again.ready().nativeSessionId == id)
            _ = try again.turnEnd()
            #expect(said("remember 45", original.api) && !said("only in the fork", original.api))
            again.close()

            // A fork that nobody noted is found again, not forked once more.
            let repeated = try Conversation(after: original, resume: id, sessionId: forkId, forks: true)
            defer { repeated.close() }
            repeated.send("[[text:found]]")
            #expect(try repeated.ready().nativeSessionId == forkId)
            _ = try repeated.turnEnd()
            #expect(said("only in the fork", original.api))
        }

        private func said(_ text: String, _ api: FakeMessagesAPI) -> Bool {
            api.scripted.last?.body["messages"]?.description.contains(text) == true
        }

        @Test func aForkOfAnUnknownConversationIsANewOne() throws {
            let unknown = "11111111-2222-4333-8444-555555555557"
            let conversation = try Conversation(resume: unknown, forks: true)
            defer { conversation.close() }
            conversation.send("[[text:carried on]]")
            #expect(try conversation.failure().code == "resume_failed")
            #expect(try conversation.ready().nativeSessionId != unknown)
            #expect(try conversation.message() == "carried on")
            #expect(try conversation.turnEnd().status == .completed)
            #expect(conversation.turnEnds == 1)
        }

        @Test func effortIsChosenAndChanged() throws {
            let conversation = try Conversation(effort: "low")
            defer { conversation.close() }
            func sent() -> String? {
                conversation.api.scripted.last?.body["output_config"]?["effort"]?.stringValue
            }
            conversation.send("[[text:one]]")
            let efforts = try conversation.ready().availableEfforts
            #expect(efforts.starts(with: ["low", "medium", "high"]))
            _ = try conversation.turnEnd()
            #expect(sent() == "low")
            conversation.call { $0.setEffort("high") }
            #expect(try conversation.status("effort_changed")["effort"] == "high")
            conversation.send("[[text:two]]")
            _ = try conversation.turnEnd()
            #expect(sent() == "high")
            conversation.call { $0.setEffort("bogus") }
            #expect(try conversation.failure().code == "invalid_request")
            #expect(try conversation.status("effort_changed")["effort"] == "high")
            conversation.send("[[text:three]]")
            _ = try conversation.turnEnd()
            #expect(sent() == "high")
        }

        @Test func anEffortThatIsNotKnownAtTheStartIsSaid() throws {
            let conversation = try Conversation(effort: "bogus")
            defer { conversation.close() }
            conversation.send("[[text:one]]")
            #expect(try conversation.failure().code == "invalid_request")
            let real = try #require(try conversation.status("effort_changed")["effort"]?.stringValue)
            #expect(try conversation.turnEnd().status == .completed)
            let sent = conversation.api.scripted.last?.body["output_config"]?["effort"]?.stringValue
            #expect(real != "bogus" && sent == real)
        }

        @Test func eachWindowOfTheRateLimitIsAQuota() throws {
            let conversation = try Conversation(
                environment: ["ANTHROPIC_API_KEY": nil, "CLAUDE_CODE_OAUTH_TOKEN": "sk-ant-oat01-fake"])
            defer { conversation.close() }
            conversation.send("[[windows:seven_day=0.8/allowed_warning five_hour=0.42/allowed]] [[text:ok]]")
            #expect(try conversation.turnEnd().status == .completed)
            let quotas = conversation.all.compactMap { if case .quota(let quota) = $0 { quota } else { nil } }
            #expect(quotas.map(\.window) == ["five_hour", "seven_day"])
            #expect(quotas.map(\.status) == ["allowed", "warning"])
            #expect(quotas.map(\.utilization) == [0.42, 0.8])
            let resets = quotas.compactMap(\.resetsAt).filter { $0 > Date().timeIntervalSince1970 }
            #expect(resets.count == 2)
            // What hasn't changed isn't said again.
            conversation.send("[[windows:seven_day=0.81/allowed_warning five_hour=0.42/allowed]] [[text:more]]")
            _ = try conversation.turnEnd()
            let later = conversation.all.compactMap { if case .quota(let quota) = $0 { quota.window } else { nil } }
            #expect(later.filter { $0 == "five_hour" }.count <= 2 && later.last == "seven_day")
        }
    }
}
