import Foundation
import TestSupport

/// A program that behaves as no Codex should: an app-server in Python, scripted by what it is sent.
enum FakeCodex {
    /// Writes it into a folder.
    /// - Parameter opening: statements run before anything else, with `line` printing a line as it is.
    static func make(in folder: String, opening: String = "") throws -> String {
        let path = folder + "/fake-codex-\(UUID().uuidString)"
        try writeProgram(path, source.replacingOccurrences(of: "OPENING", with: opening))
        return path
    }

    private static let source = #"""
        #!/usr/bin/env python3
        import json, os, sys, time, signal
        def line(text): sys.stdout.write(text + "\n"); sys.stdout.flush()
        def say(message): line(json.dumps(message))
        def note(method, **params): say({"method": method, "params": params})
        OPENING
        threads, turns, held = 0, 0, []
        for text in sys.stdin:
            message = json.loads(text)
            method, params, id = message.get("method"), message.get("params") or {}, message.get("id")
            thread = params.get("threadId")
            if method is None:
                note("heard/answer", threadId=last_thread, answer=message)
                continue
            if method == "initialize":
                say({"id": id, "result": {"userAgent": "fake/0.163.0 (x)"}})
            elif method == "account/read":
                say({"id": id, "result": {"account": None, "requiresOpenaiAuth": False}})
            elif method == "model/list":
                say({"id": id, "error": {"code": -32600, "message": "no list"}})
            elif method in ("thread/start", "thread/fork"):
                threads += 1
                name = "thread-%d" % threads
                # The thread is talked about before it is known.
                note("warning", threadId=name, message="early")
                say({"id": id, "result": {"thread": {"id": name}, "model": "m", "approvalPolicy": "never",
                                          "sandbox": {"type": "dangerFullAccess"}}})
            elif method == "turn/start":
                turns += 1
                turn, last_thread = "turn-%d" % turns, thread
                words = params["input"][0]["text"]
                begin = lambda: note("turn/started", threadId=thread, turn={"id": turn})
                end = lambda status: note("turn/completed", threadId=thread, turn={"id": turn, "status": status})
                answer = lambda: say({"id": id, "result": {"turn": {"id": turn}}})
                delta = lambda text: note("item/agentMessage/delta", threadId=thread, turnId=turn, itemId="m" + turn, delta=text)
                if words == "refuse":
                    say({"id": id, "error": {"code": -32600, "message": "not that"}})
                elif words == "late answer":
                    # The whole turn comes before the answer to the request.
                    begin(); delta("quick"); end("completed"); answer()
                elif words == "garbage":
                    answer(); begin()
                    line("this is no JSON"); line("[1,2]"); line('{"id":99,"result":{}}'); line("")
                    line('{"method":"item/completed","params":null}'); line('{"method":"turn/completed","params":{"turn":7}}')
                    note("item/started", threadId=thread, item={"type": "somethingNew", "id": "n"})
                    note("nobody/knows", threadId=thread, value=1)
                    note("nobody/knows", value=2)
                    note("turn/completed", threadId="thread-unknown", turn={"id": "x", "status": "completed"})
                    delta("after"); end("completed")
                elif words == "crash":
                    answer(); begin(); delta("half a wo")
                    sys.stderr.write("something broke\n"); sys.stderr.flush()
                    os._exit(7)
                elif words == "hang":
                    answer(); begin(); delta("stuck")
                elif words == "hang and ignore":
                    signal.signal(signal.SIGTERM, signal.SIG_IGN)
                    answer(); begin(); delta("stuck")
                elif words == "ask oddly":
                    answer(); begin()
                    say({"id": "s1", "method": "item/commandExecution/requestApproval",
                         "params": {"threadId": thread, "turnId": turn, "itemId": "c", "command": "x"}})
                    say({"id": 5, "method": "account/chatgptAuthTokens/refresh", "params": {}})
                    say({"id": 6, "method": "currentTime/read", "params": {"threadId": thread}})
                elif words == "wake":
                    # A turn of its own follows, until somebody says so.
                    answer(); begin(); end("completed")
                    turn = "turn-own"
                    begin()
                    while not os.path.exists("go"): time.sleep(0.01)
                    end("completed")
                elif words == "deaf to additions":
                    answer(); begin(); delta("stuck")
                    # The addition is never answered, though the turn ends.
                    sys.stdin.readline(); end("completed")
                elif words == "twice":
                    answer(); begin(); end("completed"); end("completed")
                else:
                    answer(); begin(); delta(words)
                    note("item/completed", threadId=thread, turnId=turn, item={"type": "agentMessage", "id": "m" + turn, "text": words})
                    end("completed")
            elif method == "turn/steer":
                # The turn ends just before the message is read.
                note("turn/completed", threadId=thread, turn={"id": params["expectedTurnId"], "status": "completed"})
                say({"id": id, "error": {"code": -32600, "message": "no active turn to steer"}})
            elif method == "turn/interrupt":
                pass
            elif id is not None:
                say({"id": id, "result": {}})
        """#
}
