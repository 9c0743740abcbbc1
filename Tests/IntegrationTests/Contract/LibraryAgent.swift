import Foundation
import JSON
import TestSupport

/// An agent on the protocol's reference library, which checks every message against the schema. It does what the
/// directives of a prompt say, runs its own commands, and remembers its sessions in its home.
final class LibraryAgent: Agent {
    let providerId = "peer"
    let isReal = false
    let lastModelRequest: String? = nil
    let mode: String? = nil
    let openMode: String? = nil
    let python: String

    init() throws {
        let environment = ProcessInfo.processInfo.environment
        let tools =
            environment["CODEAI_HUB_TEST_TOOLS"] ?? (environment["HOME"] ?? "/") + "/.cache/codeai-hub-test-tools"
        python = environment["CODEAI_HUB_TEST_ACP_PYTHON"] ?? tools + "/acp-0.12.1/bin/python"
        guard FileManager.default.isExecutableFile(atPath: python) else {
            throw TestFailure(
                "the reference library is not installed: run  eval \"$(scripts/install-test-tools.sh)\"  and test again"
            )
        }
    }

    func makeDaemon() throws -> TestDaemon {
        let daemon = try TestDaemon()
        try writeProgram(daemon.folder.path + "/peer", "#!\(python)\n" + LibraryAgent.source)
        // A manifest alone makes it a provider.
        let manifest: JSON = [
            "name": "Peer", "adapter": "acp", "command": [JSON(daemon.folder.path + "/peer")],
            "capabilities": ["streaming": true, "resume": true, "permissions": true, "questions": true],
        ]
        try daemon.folder.write("hub/providers/peer/module.json", manifest.description)
        return daemon
    }

    func prompt(_ deed: Deed) -> String? {
        switch deed {
        case .say(let text): "[[text:\(text)]]"
        case .think(let text): "[[think:\(text)]] [[text:thought]]"
        case .stream: "[[stream:]]"
        case .look: "[[tool:echo looked]] [[text:done]]"
        case .fail: "[[tool:ls not-there]] [[text:done]]"
        case .touch(let path): "[[ask:touch \(path)]] [[text:done]]"
        case .run(let command): "[[ask:\(command)]] [[text:done]]"
        case .last: "[[ask:sleep 300]] [[text:done]]"
        case .ask: "[[question:Which?]] [[text:done]]"
        case .hang: "[[hang:]]"
        case .authenticationError: "[[error:-32000 Authentication required]]"
        case .quotaError: "[[error:429 Quota exceeded]]"
        }
    }

    private static let source = #"""
        import asyncio, json, os, re, uuid
        import acp, acp.helpers
        from acp import schema

        STORE = os.path.join(os.environ["HOME"], "peer-sessions.json")

        class Agent:
            def __init__(self):
                self.cancelled, self.allowed, self.calls = asyncio.Event(), set(), 0
                self.sessions = json.load(open(STORE)) if os.path.exists(STORE) else {}

            def on_connect(self, connection):
                self.client = connection

            async def initialize(self, protocol_version, **_):
                return schema.InitializeResponse(
                    protocol_version=protocol_version,
                    agent_capabilities=schema.AgentCapabilities(load_session=True),
                    agent_info=schema.Implementation(name="peer", version="1"))

            async def new_session(self, cwd, **_):
                session = uuid.uuid4().hex
                self.sessions[session] = cwd
                json.dump(self.sessions, open(STORE, "w"))
                return schema.NewSessionResponse(session_id=session)

            async def load_session(self, cwd, session_id, **_):
                if session_id not in self.sessions:
                    raise acp.RequestError.invalid_params({"session_id": session_id})
                await self.client.session_update(session_id, acp.update_agent_message_text("from before"))
                return schema.LoadSessionResponse()

            async def cancel(self, session_id, **_):
                self.cancelled.set()

            async def prompt(self, session_id, prompt, **_):
                self.cancelled.clear()
                words = prompt[-1].text.split("</conversation>")[-1]
                work = asyncio.create_task(self.work(session_id, words))
                stop = asyncio.create_task(self.cancelled.wait())
                await asyncio.wait([work, stop], return_when=asyncio.FIRST_COMPLETED)
                stop.cancel()
                if work.done():
                    return schema.PromptResponse(stop_reason=work.result())
                work.cancel()
                return schema.PromptResponse(stop_reason="cancelled")

            async def work(self, session, words):
                say = lambda update: self.client.session_update(session, update)
                for name, argument in re.findall(r"\[\[(\w+):(.*?)\]\]", words):
                    if name == "text":
                        await say(acp.update_agent_message_text(argument[:3]))
                        await say(acp.update_agent_message_text(argument[3:]))
                    elif name == "think":
                        await say(acp.update_agent_thought_text(argument))
                    elif name == "stream":
                        for index in range(10000):
                            await say(acp.update_agent_message_text(f"w{index} "))
                            await asyncio.sleep(0.02)
                    elif name == "hang":
                        await asyncio.sleep(600)
                    elif name == "error":
                        code, message = argument.split(" ", 1)
                        raise acp.RequestError(int(code), message)
                    elif name == "question":
                        form = schema.ElicitationSchema(properties={
                            "colour": schema.ElicitationStringPropertySchema(type="string", enum=["red", "blue"])})
                        await self.client.create_elicitation(
                            argument, schema.ElicitationFormSessionMode(session_id=session, requested_schema=form))
                    elif name in ("tool", "ask"):
                        if not await self.tool(session, say, argument, name == "ask"):
                            return "cancelled"
                return "end_turn"

            async def tool(self, session, say, command, asks):
                self.calls += 1
                call = f"call-{self.calls}"
                await say(acp.start_tool_call(
                    call, command, kind="execute", status="pending", raw_input={"command": command}))
                if asks and command not in self.allowed:
                    answer = await self.client.request_permission(
                        session, schema.ToolCallUpdate(tool_call_id=call),
                        [schema.PermissionOption(option_id=kind, name=kind, kind=kind)
                         for kind in ["allow_once", "allow_always", "reject_once"]])
                    if answer.outcome.outcome == "cancelled":
                        return False
                    if answer.outcome.option_id == "allow_always":
                        self.allowed.add(command)
                    if answer.outcome.option_id == "reject_once":
                        await say(acp.update_tool_call(call, status="failed"))
                        return True
                process = await asyncio.create_subprocess_shell(
                    command, cwd=self.sessions[session], stdout=asyncio.subprocess.PIPE,
                    stderr=asyncio.subprocess.STDOUT)
                try:
                    output, _ = await process.communicate()
                except asyncio.CancelledError:
                    process.kill()
                    raise
                await say(acp.update_tool_call(
                    call, status="completed" if process.returncode == 0 else "failed",
                    content=[acp.tool_content(acp.text_block(output.decode(errors="replace") or "-"))]))
                return True

        asyncio.run(acp.run_agent(Agent(), use_unstable_protocol=True))
        """#
}
