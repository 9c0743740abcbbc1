"""An agent by the reference library (PyPI: agent-client-protocol) that uses everything which a client serves: the first
word of a prompt says what. The library checks every answer of ours against the schema."""

import asyncio
import os
import sys

import acp
import acp.helpers
from acp import schema


class Agent:
    def __init__(self):
        self.cwd = None
        self.level = "low"

    def on_connect(self, connection):
        self.client = connection

    async def initialize(self, protocol_version, client_capabilities=None, client_info=None, **_):
        assert client_capabilities.fs.read_text_file and client_capabilities.fs.write_text_file
        assert client_capabilities.terminal
        return schema.InitializeResponse(
            protocol_version=protocol_version,
            agent_capabilities=schema.AgentCapabilities(
                prompt_capabilities=schema.PromptCapabilities(image=True, audio=True, embedded_context=True),
                session_capabilities=schema.SessionCapabilities(
                    fork=schema.SessionForkCapabilities(), resume=schema.SessionResumeCapabilities())),
            auth_methods=[schema.EnvVarAuthMethod(
                type="env_var", id="key", name="Key", vars=[schema.AuthEnvVar(name="FEATURES_KEY")])])

    authenticated = False

    async def authenticate(self, method_id, **_):
        assert method_id == "key" and os.environ["FEATURES_KEY"]
        self.authenticated = True
        return schema.AuthenticateResponse()

    async def new_session(self, cwd, **_):
        if "FEATURES_KEY" in os.environ and not self.authenticated:
            raise acp.RequestError.auth_required()
        self.cwd = cwd
        return schema.NewSessionResponse(session_id="new", config_options=self.options())

    async def fork_session(self, session_id, cwd, **_):
        self.cwd = cwd
        await self.client.session_update("fork-of-" + session_id, acp.update_agent_message_text("from before"))
        return schema.ForkSessionResponse(session_id="fork-of-" + session_id, config_options=self.options())

    async def resume_session(self, session_id, cwd, **_):
        self.cwd = cwd
        return schema.ResumeSessionResponse(config_options=self.options())

    def options(self):
        option = lambda id, category, current, values: schema.SessionConfigOptionSelect(
            type="select", id=id, name=id, category=category, current_value=current,
            options=[schema.SessionConfigSelectOption(value=value, name=value) for value in values])
        return [option("llm", "model", "small", ["small", "large"]),
                option("level", "thought_level", self.level, ["low", "high"])]

    async def set_config_option(self, config_id, session_id, value, **_):
        if config_id == "level":
            self.level = value
        return schema.SetSessionConfigOptionResponse(config_options=self.options())

    async def prompt(self, session_id, prompt, **_):
        say = lambda update: self.client.session_update(session_id, update)
        text = lambda words: say(acp.update_agent_message_text(str(words)))
        path = lambda name: os.path.join(self.cwd, name)
        word, *rest = prompt[0].text.split(" ")
        if word == "files":
            await say(acp.start_tool_call(
                "edit", "Write", kind="edit", status="in_progress",
                locations=[schema.ToolCallLocation(path=path("made/x.txt"))]))
            await self.client.write_text_file(session_id=session_id, path=path("made/x.txt"), content="1\n2\n3\n")
            await say(acp.update_tool_call("edit", status="completed"))
            answer = await self.client.read_text_file(session_id=session_id, path=path("made/x.txt"), line=2, limit=1)
            await text(repr(answer.content))
        elif word == "outside":
            codes = []
            for place in ["/etc/passwd", path("../secret.txt"), path("link/secret.txt"), path("none.txt")]:
                try:
                    await self.client.read_text_file(session_id=session_id, path=place)
                    codes.append("read")
                except acp.RequestError as error:
                    codes.append(error.code)
                try:
                    if place != path("none.txt"):
                        await self.client.write_text_file(session_id=session_id, path=place, content="x")
                        codes.append("written")
                except acp.RequestError as error:
                    codes.append(error.code)
            await text(codes)
        elif word == "terminal":
            await say(acp.start_tool_call("run", "make", kind="execute", status="in_progress"))
            terminal = await self.client.create_terminal(
                session_id=session_id, command="sh", args=["-c", "pwd; echo $WORD >&2; exit 3"], cwd=path("sub"),
                env=[schema.EnvVariable(name="WORD", value="wörd")], output_byte_limit=1000)
            id = terminal.terminal_id
            await say(acp.update_tool_call("run", content=[acp.helpers.tool_terminal_ref(id)]))
            ended = await self.client.wait_for_terminal_exit(session_id=session_id, terminal_id=id)
            output = await self.client.terminal_output(session_id=session_id, terminal_id=id)
            assert output.exit_status.exit_code == ended.exit_code == 3 and not output.truncated, output
            await self.client.release_terminal(session_id=session_id, terminal_id=id)
            await say(acp.update_tool_call("run", status="failed"))
            await text(output.output.replace(self.cwd, "."))
        elif word == "kill":
            terminal = await self.client.create_terminal(
                session_id=session_id, command="sleep 60 & sleep 60; echo over")
            id = terminal.terminal_id
            waiting = asyncio.create_task(self.client.wait_for_terminal_exit(session_id=session_id, terminal_id=id))
            await self.client.kill_terminal(session_id=session_id, terminal_id=id)
            ended = await waiting
            await self.client.release_terminal(session_id=session_id, terminal_id=id)
            await text([ended.exit_code, ended.signal])
        elif word == "linger":
            # A command whose child ignores a polite end, and with `session` as a second word changes its session too.
            program = "setsid sh" if "session" in rest else "sh"
            await self.client.create_terminal(
                session_id=session_id,
                command=f"{program} -c 'trap \"\" TERM; echo $$ > {path('lingering')}; sleep 300' & sleep 300")
            while not os.path.exists(path("lingering")):
                await asyncio.sleep(0.01)
            await text("lingers")
            if "crash" in rest:
                os.kill(os.getpid(), 9)
            if "on" in rest:
                await asyncio.sleep(300)
        elif word == "many":
            made, refused = 0, set()
            for _ in range(1000):
                try:
                    await self.client.create_terminal(session_id=session_id, command="sleep", args=["60"])
                    made += 1
                except acp.RequestError as error:
                    refused.add(error.code)
            await text([made, sorted(refused)])
        elif word == "flood":
            terminal = await self.client.create_terminal(
                session_id=session_id, command="head -c 20000000 /dev/zero | tr '\\0' x", output_byte_limit=100)
            await self.client.wait_for_terminal_exit(session_id=session_id, terminal_id=terminal.terminal_id)
            output = await self.client.terminal_output(session_id=session_id, terminal_id=terminal.terminal_id)
            await self.client.release_terminal(session_id=session_id, terminal_id=terminal.terminal_id)
            await text([len(output.output), output.truncated])
        elif word == "blocks":
            await text([block.type for block in prompt])
        elif word == "news":
            await say(acp.update_plan([acp.plan_entry("one", status="completed"), acp.plan_entry("two")]))
            await say(schema.AvailableCommandsUpdate(
                session_update="available_commands_update",
                available_commands=[schema.AvailableCommand(name="go", description="Go")]))
            await say(schema.SessionInfoUpdate(session_update="session_info_update", title="A title"))
            await say(schema.UsageUpdate(session_update="usage_update", used=10, size=100))
            await say(schema.ConfigOptionUpdate(
                session_update="config_option_update", config_options=self.options()))
        return schema.PromptResponse(stop_reason="end_turn")

    async def cancel(self, session_id, **_):
        pass


asyncio.run(acp.run_agent(Agent(), use_unstable_protocol=True))
