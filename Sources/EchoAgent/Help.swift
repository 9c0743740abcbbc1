/// What the agent says about itself.
enum Help {
    static let hint = "\n\nI am the built-in echo agent: no account, no model. Say `help` to see what I can act out."

    static let text = """
        I say back what you write, and I act out directives, so that a client can be tried against every situation:

        | directive | what happens |
        |---|---|
        | `[[text:hello]]` | a message |
        | `[[stream:50x20@10]]` | 50 pieces of 20 bytes, 10 a second (0 or nothing: as fast as possible) |
        | `[[think:hm]]` | a thought |
        | `[[tool:Bash {"command":"ls"}]]` | a tool call that succeeds |
        | `[[tool-fail:Bash no such file]]` | a tool call that fails |
        | `[[tool-output:20x40@5]]` | a tool call with live output |
        | `[[permission:once,always,reject rm x]]` | asks for permission (also `reject-always`) |
        | `[[question:Which colour?|red|blue]]` | asks a question |
        | `[[plan:+done|*doing|to do]]` | a to-do list |
        | `[[diff:/path|old|new]]` | a file edit |
        | `[[usage:1000,50,0.01]]` | tokens in, tokens out, dollars |
        | `[[mode:plan]]` | the agent changes its mode |
        | `[[error:rate_limited slow down]]` | the turn fails (also `quota`, `auth`, `overloaded`, `internal`; `quota@5`: for 5 s) |
        | `[[once:crash:3]]` | another directive, the first time only |
        | `[[crash:3]]`, `[[signal:9]]` | the process ends |
        | `[[hang]]`, `[[hang:hard]]` | no reaction to cancel; hard: nor to SIGTERM |
        | `[[stall:5]]` | silent for 5 s, reacts to cancel |
        | `[[garbage]]` | lines that are no protocol |
        | `[[large:1000000]]` | one message of that many bytes in one piece |
        | `[[stderr:text]]` | a line on stderr |
        | `[[background:3 done]]` | says something 3 s later, after the turn |
        | `[[child:60]]`, `[[child:60 detached]]` | starts a child process that lives 60 s |
        | `[[subagent:text]]` | a subagent says something |

        Modes: `default` asks for permissions, `auto` grants them, `plan` runs no tools. Models: `small`, `large`.
        """
}
