"""What an editor's extension does to keep the daemon current: runs codeai-hub as a subprocess and reads its lines.

    python3 update.py [OPTIONS OF codeai-hub update]

Prints what there is, then how it goes on, then how it ended. Needs nothing but Python's standard library."""

import json
import subprocess
import sys


def lines(*arguments):
    """The objects that a command prints, one by one while it works."""
    command = ["codeai-hub", *arguments, "--json"]
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True) as process:
        for line in process.stdout:
            yield json.loads(line)


def fail(error):
    sys.exit(f"{error['code']}: {error['message']}")


options = sys.argv[1:]
for line in lines("update", "--check", *options):
    if "error" in line:
        fail(line["error"])
    plan = line
if plan["upToDate"]:
    print("up to date")
    sys.exit()
for change in plan["components"]:
    print(f"{change['component']} {change['from']} -> {change['to']}: {change['download']} bytes")

# Here an extension asks. Clients of the daemon come back by themselves, so nothing else is to be stopped.
for line in lines("update", "--yes", *options):
    if "error" in line:
        # Whatever it is, the version that was there works.
        fail(line["error"])
    if line["event"] == "downloading":
        print(f"{100 * line['received'] // line['total']} %")
    elif line["event"] == "done":
        print(f"{line['to']} is installed" + (", and the daemon runs as it" if line["restarted"] else ""))
    # What isn't known is passed over: later versions say more.
