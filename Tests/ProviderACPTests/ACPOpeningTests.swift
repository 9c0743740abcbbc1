import HubProtocol
import JSON
import Processes
import ProviderACP
import Providers
import Testing

/// Forks, logins, replaced processes, efforts, attachments and the manifest's options.
@Suite struct ACPOpeningTests {
    private let ended: JSON = ["stopReason": "end_turn"]

    // MARK: Forks

    @Test func forksWhereThatIsOffered() {
        let talk = Conversation {
            $0.resumeNativeSessionId = "old"
            $0.forksNativeSession = true
        }
        talk.session.start()
        talk.session.send("go", turnId: "t1")
        talk.agent.answer(
            "initialize",
            ["protocolVersion": 1, "agentCapabilities": ["loadSession": true, "sessionCapabilities": ["fork": [:]]]])
        #expect(talk.agent.last("session/fork")?["params"]?["sessionId"] == "old")
        #expect(talk.agent.last("session/load") == nil)
        // The history of the other one, told before the answer.
        talk.agent.message("said before")
        talk.agent.answer("session/fork", ["sessionId": "s1"])
        talk.agent.answer("session/prompt", ended)
        #expect(talk.lines() == ["ready s1 models= modes=", "turnCompleted completed end_turn"])
        #expect(talk.session.capabilities.fork)
    }

    @Test func whoForksOnlyWhatIsOpenGetsItOpenedFirst() {
        let talk = Conversation {
            $0.resumeNativeSessionId = "old"
            $0.forksNativeSession = true
        }
        talk.session.start()
        talk.session.send("go", turnId: "t1")
        talk.agent.answer(
            "initialize",
            ["protocolVersion": 1, "agentCapabilities": ["loadSession": true, "sessionCapabilities": ["fork": [:]]]])
        talk.agent.refuse("session/fork", code: -32602, "No such session")
        talk.agent.answer("session/load", [:])
        talk.agent.answer("session/fork", ["sessionId": "s1"])
        // The history of the one that was opened for it, late.
        talk.agent.update(
            ["sessionUpdate": "agent_message_chunk", "content": ["type": "text", "text": "old"]], session: "old")
        talk.agent.answer("session/prompt", ended)
        #expect(talk.lines() == ["ready s1 models= modes=", "turnCompleted completed end_turn"])
    }

    @Test(arguments: [true, false]) func whoCannotForkBeginsAnew(_ isOffered: Bool) {
        let talk = Conversation {
            $0.resumeNativeSessionId = "old"
            $0.forksNativeSession = true
        }
        talk.session.start()
        talk.agent.answer(
            "initialize",
            [
                "protocolVersion": 1,
                "agentCapabilities": isOffered ? ["sessionCapabilities": ["fork": [:]]] : ["loadSession": true],
            ])
        if isOffered { talk.agent.refuse("session/fork", code: -32602, "No such session") }
        #expect(talk.agent.last("session/load") == nil)
        talk.agent.answer("session/new", ["sessionId": "s1"])
        let lines = talk.lines()
        #expect(lines.first?.hasPrefix("error resume_failed") == true)
        #expect(lines.last == "ready s1 models= modes=")
    }

    // MARK: Logging in

    private let methods: JSON = [
        ["id": "oauth", "name": "Log in with the browser"],
        ["id": "key", "name": "Key", "type": "env_var", "vars": [["name": "THE_KEY"]]],
        ["id": "own", "name": "Own key"],
    ]

    @Test(
        arguments: [
            (["THE_KEY": "k"], [:], "key"), (["MY_KEY": "k"], ["own": ["MY_KEY"]], "own"), (["THE_KEY": ""], [:], nil),
            ([:], ["own": ["MY_KEY"]], nil),
        ] as [([String: String], [String: [String]], String?)])
    func logsInWithAKeyThatIsThere(
        _ environment: [String: String], _ configured: [String: [String]], _ method: String?
    ) throws {
        let talk = Conversation(configuration: {
            $0.environment = environment
            $0.authentication = configured
        })
        talk.session.start()
        talk.agent.answer("initialize", ["protocolVersion": 1, "authMethods": methods])
        talk.agent.refuse("session/new", code: -32000, "Authentication required")
        #expect(talk.agent.last("authenticate")?["params"]?["methodId"] == method.map { JSON($0) })
        guard method != nil else {
            talk.agent.exit(.exited(0))
            guard case .failedToStart(let failure)? = talk.ends.first else {
                Issue.record("started")
                return
            }
            #expect(failure.code == "authentication_failed")
            #expect(failure.actions.contains(.login))
            #expect(failure.details["authMethods"] == methods)
            return
        }
        talk.agent.answer("authenticate", [:])
        talk.agent.answer("session/new", ["sessionId": "s1"])
        #expect(talk.lines() == ["ready s1 models= modes="])
    }

    @Test func aLoginIsTriedOnce() {
        for refusesLogin in [true, false] {
            let talk = Conversation(configuration: { $0.environment = ["THE_KEY": "wrong"] })
            talk.session.start()
            talk.agent.answer("initialize", ["protocolVersion": 1, "authMethods": methods])
            talk.agent.refuse("session/new", code: -32000, "Authentication required")
            if refusesLogin {
                talk.agent.refuse("authenticate", code: -32603, "Bad key")
            } else {
                talk.agent.answer("authenticate", [:])
                talk.agent.refuse("session/new", code: -32000, "Authentication required")
            }
            #expect(talk.agent.isTerminated)
            talk.agent.exit(.exited(0))
            #expect(talk.startFailure == "authentication_failed")
        }
    }

    // MARK: A process that is spoilt

    @Test func aRefusedKeyHasTheProcessReplacedAtTheNextPrompt() {
        let talk = Conversation()
        talk.open(capabilities: ["loadSession": true])
        talk.session.send("one", turnId: "t1")
        talk.agent.refuse("session/prompt", code: -31002, "Invalid API key")
        let lines = talk.lines()
        #expect(lines.contains { $0.hasPrefix("error authentication_failed") })
        #expect(lines.last == "turnCompleted failed error")
        #expect(talk.agent.isTerminated)
        talk.agent.exit(.exited(0))
        // Only this process's end: the conversation goes on.
        #expect(talk.ends.isEmpty)
        #expect(talk.agent.starts.count == 1)
        talk.session.send("two", turnId: "t2")
        #expect(talk.agent.starts.count == 2)
        talk.agent.answer("initialize", ["protocolVersion": 1, "agentCapabilities": ["loadSession": true]])
        // Nothing was ever said in it, so there is nothing to load.
        talk.agent.answer("session/new", ["sessionId": "s2"])
        talk.agent.answer("session/prompt", ended)
        #expect(talk.lines().last == "turnCompleted completed end_turn")
    }

    @Test func whatWasSaidBeforeIsTakenUpByTheReplacement() {
        let talk = Conversation()
        talk.open(capabilities: ["sessionCapabilities": ["resume": [:]]])
        talk.session.send("one", turnId: "t1")
        talk.agent.answer("session/prompt", ended)
        talk.session.send("two", turnId: "t2")
        talk.agent.refuse("session/prompt", code: 401, "Unauthorized")
        // The next prompt comes before the process has gone.
        talk.session.send("three", turnId: "t3")
        #expect(talk.agent.starts.count == 1)
        talk.agent.exit(.exited(0))
        #expect(talk.agent.starts.count == 2)
        talk.agent.answer(
            "initialize", ["protocolVersion": 1, "agentCapabilities": ["sessionCapabilities": ["resume": [:]]]])
        #expect(talk.agent.last("session/resume")?["params"]?["sessionId"] == "s1")
        talk.agent.answer("session/resume", [:])
        #expect(talk.agent.last("session/prompt")?["params"]?["prompt"]?[0]?["text"] == "three")
    }

    @Test func stoppingWhileThereIsNoProcess() {
        let talk = Conversation()
        talk.open()
        talk.session.send("one", turnId: "t1")
        talk.agent.refuse("session/prompt", code: -32000, "Log in")
        talk.agent.exit(.exited(0))
        talk.session.interrupt()
        talk.session.stop()
        #expect(talk.ends == [.stopped])
    }

    @Test func olderSpellingOfTheArguments() {
        let talk = Conversation(configuration: {
            $0.arguments = ["--acp"]
            $0.olderArguments = ["--experimental-acp"]
        })
        talk.session.start()
        talk.agent.exit(.exited(1))
        #expect(talk.agent.starts == [["--acp"], ["--experimental-acp"]])
        talk.agent.exit(.exited(1))
        #expect(talk.startFailure == "provider_start_failed")
        #expect(talk.agent.starts.count == 2)
    }

    // MARK: Efforts

    @Test(arguments: ["thought_level", "thinking"]) func effortIsAConfigurationOption(_ category: String) {
        let talk = Conversation { $0.effort = "high" }
        talk.open(result: [
            "sessionId": "s1",
            "configOptions": [
                [
                    "id": "think", "category": JSON(category), "type": "select", "currentValue": "low",
                    "options": [["value": "low"], ["value": "high"]],
                ]
            ],
        ])
        #expect(
            talk.agent.last("session/set_config_option")?["params"] == [
                "sessionId": "s1", "configId": "think", "value": "high",
            ])
        talk.agent.answer("session/set_config_option", [:])
        #expect(talk.lines().last == #"status effort_changed {"effort":"high"}"#)
        #expect(talk.session.capabilities.effort)
        talk.session.setEffort("low")
        talk.agent.refuse("session/set_config_option", code: -32602, "No")
        #expect(talk.lines().last?.hasPrefix("error invalid_request") == true)
    }

    @Test func noEffortsToChooseFrom() {
        let talk = Conversation()
        talk.open()
        talk.session.setEffort("high")
        #expect(talk.lines().last?.hasPrefix("error invalid_request") == true)
    }

    // MARK: Attachments

    private let prompt = Prompt(
        "look",
        attachments: [
            Attachment(name: "a.png", mediaType: "image/png", content: .data(base64: "AAAA")),
            Attachment(name: "s.wav", mediaType: "audio/wav", content: .data(base64: "BBBB")),
            Attachment(name: "x y.txt", mediaType: "text/plain", content: .text("words")),
            Attachment(name: "z.bin", mediaType: "application/zip", content: .data(base64: "CCCC")),
            Attachment(mediaType: "text/markdown", content: .link(uri: "file:///p.md")),
        ], context: "before")

    private func sent(_ capabilities: JSON) -> [JSON] {
        let talk = Conversation()
        talk.open(capabilities: ["promptCapabilities": capabilities])
        talk.session.send(prompt, turnId: "t1")
        return talk.agent.last("session/prompt")?["params"]?["prompt"]?.arrayValue ?? []
    }

    private let link: JSON = [
        "type": "resource_link", "uri": "file:///p.md", "name": "file:///p.md", "mimeType": "text/markdown",
    ]

    @Test func attachmentsAreSentAsTheAgentTakesThem() {
        let blocks = sent(["image": true, "audio": true, "embeddedContext": true])
        #expect(
            blocks == [
                ["type": "text", "text": "before\n\nlook"],
                ["type": "image", "mimeType": "image/png", "data": "AAAA"],
                ["type": "audio", "mimeType": "audio/wav", "data": "BBBB"],
                [
                    "type": "resource",
                    "resource": ["uri": "attachment:///x%20y.txt", "mimeType": "text/plain", "text": "words"],
                ],
                [
                    "type": "resource",
                    "resource": ["uri": "attachment:///z.bin", "mimeType": "application/zip", "blob": "CCCC"],
                ],
                link,
            ])
    }

    @Test func whatAnAgentCannotTakeIsToldAsText() throws {
        let blocks = sent([:])
        #expect(blocks.count == 2)
        #expect(blocks.last == link)
        let text = try #require(blocks.first?["text"]?.stringValue)
        #expect(text.hasPrefix("before\n\nlook\n\n"))
        for part in ["a.png", "s.wav", "x y.txt]\nwords", "z.bin"] { #expect(text.contains(part)) }
    }

    @Test func aPromptThatIsSaidBackWithItsAttachmentsIsNoNews() {
        let talk = Conversation()
        talk.open(capabilities: ["promptCapabilities": ["image": true]])
        talk.session.send(
            Prompt("look", attachments: [Attachment(mediaType: "image/png", content: .data(base64: "AAAA"))]),
            turnId: "t1")
        _ = talk.lines()
        talk.agent.update([
            "sessionUpdate": "user_message_chunk", "content": ["type": "text", "text": "look\n[image 1]"],
        ])
        talk.agent.answer("session/prompt", ended)
        #expect(talk.lines() == ["turnCompleted completed end_turn"])
    }

    // MARK: Options of the manifest

    private func configuration(_ options: JSONObject) -> ACPConfiguration {
        ACPConfiguration(
            ProviderLaunch(providerId: "x", name: "X", executable: "/bin/x", options: options), clientVersion: "1")
    }

    @Test func optionsOfTheManifest() {
        let configuration = configuration([
            "tokensAreCumulative": false, "files": false, "terminals": false, "maximumFileBytes": 10,
            "maximumTerminals": 2, "maximumTerminalOutputBytes": 99, "startTimeout": 2.5,
            "olderArguments": ["--old"], "authentication": ["m": ["A", "B"]],
        ])
        #expect(configuration.problem == nil)
        #expect(!configuration.tokensAreCumulative && !configuration.servesFiles && !configuration.servesTerminals)
        #expect(configuration.maximumFileBytes == 10)
        #expect(configuration.maximumTerminals == 2)
        #expect(configuration.maximumTerminalOutputBytes == 99)
        #expect(configuration.startTimeout == .milliseconds(2500))
        #expect(configuration.olderArguments == ["--old"])
        #expect(configuration.authentication == ["m": ["A", "B"]])
    }

    @Test(
        arguments: [
            (["nonsense": 1], "options.nonsense is not known"), (["files": 1], "options.files must be true or false"),
            (["maximumTerminals": 0], "options.maximumTerminals must be a number from 1 to 1024"),
            (["startTimeout": "long"], "options.startTimeout must be seconds"),
            (["olderArguments": [1]], "options.olderArguments must be an array"),
            (["authentication": ["m": "A"]], "options.authentication must have arrays"),
        ] as [(JSONObject, String)]) func wrongOptionsAreTold(_ options: JSONObject, _ problem: String)
    {
        let configuration = configuration(options)
        #expect(configuration.problem?.hasPrefix(problem) == true)
        let talk = Conversation(configuration: { $0.problem = configuration.problem })
        talk.session.start()
        #expect(talk.startFailure == "provider_start_failed")
        #expect(talk.agent.starts.isEmpty)
    }

    // MARK: Gemini CLI's way

    @Test func whatIsNeverToldToHaveFailedIsOverWhenTheModelSpeaksAgain() {
        let talk = Conversation()
        talk.open()
        talk.session.send("go", turnId: "t1")
        talk.agent.ask(
            0, "session/request_permission",
            [
                "sessionId": "s1", "toolCall": ["toolCallId": "c1", "title": "rm", "kind": "execute"],
                "options": [["optionId": "cancel", "name": "No", "kind": "reject_once"]],
            ])
        talk.session.answerPermission("t1.p1", .option("cancel"), message: nil)
        _ = talk.lines()
        talk.agent.message("As you wish.")
        #expect(talk.lines().first == #"toolResult t1.c1 cancelled """#)
    }

    @Test func aPlanIsRemoved() {
        let talk = Conversation()
        talk.open()
        talk.session.send("go", turnId: "t1")
        _ = talk.lines()
        talk.agent.update(["sessionUpdate": "plan_removed", "planId": "p"])
        #expect(talk.lines() == ["plan t1.p "])
    }
}
