"""Both ends of the Agent Client Protocol by its reference library (PyPI: agent-client-protocol), which checks every
message against the schema.

    reference_agent.py agent            an agent on stdin and stdout
    reference_agent.py client COMMAND   a client that runs the echo agent through its directives
"""

import asyncio
import sys
import uuid

import acp
import acp.helpers
from acp import schema


class Agent:
    def __init__(self):
        self.sessions = {}
        self.cancelled = asyncio.Event()

    def on_connect(self, connection):
        self.client = connection

    async def initialize(self, protocol_version, client_capabilities=None, client_info=None, **_):
        assert client_capabilities.elicitation.form is not None and client_info.name
        return schema.InitializeResponse(
            protocol_version=protocol_version, agent_capabilities=schema.AgentCapabilities(load_session=True),
            agent_info=schema.Implementation(name="reference", version="1"))

    async def new_session(self, cwd, **_):
        session = uuid.uuid4().hex
        self.sessions[session] = cwd
        return schema.NewSessionResponse(session_id=session, modes=self.modes())

    async def load_session(self, cwd, session_id, **_):
        if session_id == "known":
            await self.client.session_update(session_id, acp.update_agent_message_text("from before"))
            return schema.LoadSessionResponse(modes=self.modes())
        raise acp.RequestError.invalid_params({"session_id": session_id})

    def modes(self):
        return schema.SessionModeState(
            current_mode_id="default",
            available_modes=[schema.SessionMode(id="default", name="Default"), schema.SessionMode(id="auto", name="Auto")])

    async def set_session_mode(self, session_id, mode_id, **_):
        await self.client.session_update(session_id, acp.helpers.update_current_mode(mode_id))
        return schema.SetSessionModeResponse()

    async def prompt(self, session_id, prompt, **_):
        say = lambda update: self.client.session_update(session_id, update)
        word = prompt[0].text
        if word == "permission":
            call = acp.start_tool_call("c1", "touch x", kind="execute", status="pending", raw_input={"command": "touch x"})
            await say(call)
            answer = await self.client.request_permission(
                session_id, schema.ToolCallUpdate(tool_call_id="c1"),
                [schema.PermissionOption(option_id="y", name="Yes", kind="allow_once"),
                 schema.PermissionOption(option_id="n", name="No", kind="reject_once")])
            if answer.outcome.outcome == "cancelled":
                return schema.PromptResponse(stop_reason="cancelled")
            chosen = answer.outcome.option_id
            await say(acp.update_tool_call(
                "c1", status="completed" if chosen == "y" else "failed",
                content=[acp.tool_content(acp.text_block(f"chose {chosen}"))]))
        elif word == "question":
            form = schema.ElicitationSchema(
                properties={"colour": schema.ElicitationStringPropertySchema(type="string", enum=["red", "blue"])})
            answer = await self.client.create_elicitation(
                "Which?", schema.ElicitationFormSessionMode(session_id=session_id, requested_schema=form))
            await say(acp.update_agent_message_text(f"{answer.action} {getattr(answer, 'content', None)}"))
        elif word == "wait":
            await say(acp.update_agent_message_text("waiting"))
            await self.cancelled.wait()
            return schema.PromptResponse(stop_reason="cancelled")
        elif word == "fail":
            raise acp.RequestError(429, "slow down")
        else:
            await say(acp.update_agent_thought_text("hm"))
            await say(acp.update_agent_message_text("you said "))
            await say(acp.update_agent_message_text(word))
        return schema.PromptResponse(stop_reason="end_turn")

    async def cancel(self, session_id, **_):
        self.cancelled.set()


class Client:
    def __init__(self):
        self.kinds = set()

    def on_connect(self, connection):
        pass

    async def request_permission(self, session_id, tool_call, options, **_):
        return schema.RequestPermissionResponse(
            outcome=schema.AllowedOutcome(outcome="selected", option_id=options[0].option_id))

    async def create_elicitation(self, message, mode, **_):
        return schema.AcceptElicitationResponse(action="accept", content={"answer": "red"})

    async def session_update(self, session_id, update, **_):
        self.kinds.add(update.session_update)


async def client(command):
    ours = Client()
    async with acp.spawn_agent_process(ours, *command, use_unstable_protocol=True) as (agent, _):
        await agent.initialize(1, client_capabilities=schema.ClientCapabilities(
            elicitation=schema.ElicitationCapabilities(form=schema.ElicitationFormCapabilities())))
        session = await agent.new_session(cwd="/", mcp_servers=[])
        assert session.modes.current_mode_id == "default" and len(session.config_options) == 2

        async def prompt(text):
            answer = await agent.prompt(session_id=session.session_id, prompt=[acp.text_block(text)])
            assert answer.stop_reason == "end_turn", answer

        for text in [
            "hello", "help", "[[think:hm]][[tool:Bash {\"a\":1}]][[tool-fail:Bash no]]", "[[tool-output:3x10]]",
            "[[permission:once,always,reject,reject-always x]]", "[[question:Which?|red|blue]]", "[[plan:+a|*b|c]]",
            "[[diff:/a|x|y]]", "[[usage:10,5,0.1]]", "[[mode:auto]]", "[[stream:10x10]]", "[[subagent:x]]",
        ]:
            await prompt(text)
        await agent.set_session_mode(session_id=session.session_id, mode_id="default")
        await agent.set_config_option(config_id="model", session_id=session.session_id, value="large")
        await agent.load_session(cwd="/", session_id=session.session_id, mcp_servers=[])
        await asyncio.sleep(0.1)
    print(" ".join(sorted(ours.kinds)))


if sys.argv[1] == "agent":
    asyncio.run(acp.run_agent(Agent(), use_unstable_protocol=True))
else:
    asyncio.run(client(sys.argv[2:]))
