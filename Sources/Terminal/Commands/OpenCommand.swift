import Base
import Client
import Glibc
import JSON

/// `codeai-hub open`: the web client in the person's browser.
enum OpenCommand {
    @Sendable static func run(_ invocation: Invocation) async throws(CommandFailure) -> ExitCode {
        let home = try Connection.home(invocation)
        let endpoint = try await hub { () throws(HubError) in
            try await Connection.ensureRunning(home).endpoint
        }
        let connection = try await Connection.open(invocation, starts: false)
        var route: String?
        if let session = invocation.argument(0) { route = "/s/" + (try await connection.sessionId(session)) }
        let ticket = try await asksForToken(endpoint) ? try await ticket(connection) : nil
        let page = "http://\(endpoint.authority)/"
        let plain = page + (route.map { "#" + $0 } ?? "")
        // After the sign: browsers keep that to themselves, it is in nobody's log.
        let secret = ticket.map { page + "#ticket=\($0)" + (route.map { "&to=" + $0 } ?? "") }
        let output = Output(invocation)
        if invocation.has("print") {
            tell(secret ?? plain, isOpened: false, output)
        } else {
            var shown = plain
            if let secret { shown = try redirection(to: secret, home) }
            try await show(shown, home)
            tell(plain, isOpened: true, output)
        }
        return .ok
    }

    private static func tell(_ address: String, isOpened: Bool, _ output: Output) {
        if output.isJSON {
            output.print(json: ["url": JSON(address), "opened": JSON(isOpened)])
        } else {
            output.print(StyledText(address + "\n"))
        }
    }

    // MARK: The ticket

    /// Whether the daemon wants the token from everybody.
    private static func asksForToken(_ endpoint: HubEndpoint) async throws(CommandFailure) -> Bool {
        var bare = endpoint
        bare.token = nil
        let stranger = bare
        return try await hub { () throws(HubError) in
            let client = try HubClient(endpoint: stranger)
            defer { client.close() }
            return try await client.request("GET", "/health").status == 401
        }
    }

    private static func ticket(_ connection: Connection) async throws(CommandFailure) -> String {
        let answer = try await connection.call("POST", "/auth/ticket")
        guard let ticket = answer["ticket"]?.stringValue, QueryText.isPlain(ticket) else {
            throw CommandFailure(.refused, "invalid_answer", "the daemon's ticket can't be used")
        }
        return ticket
    }

    /// A page that leads to an address with a ticket in it, for this user alone: other users can read the arguments of a
    /// browser's process, and would be faster than it. Nothing in the address need be escaped.
    private static func redirection(to address: String, _ home: HubHome) throws(CommandFailure) -> String {
        let path = home.path + "/core/open.html"
        let page = """
            <!doctype html>
            <meta charset="utf-8">
            <meta name="referrer" content="no-referrer">
            <meta http-equiv="refresh" content="0; url=\(address)">
            <title>CodeAI Hub</title>

            """
        do throws(SystemError) { try writeFile(path, Array(page.utf8)) } catch {
            throw CommandFailure(.refused, "failed", "\(error)")
        }
        return "file://"
            + path.split(separator: "/", omittingEmptySubsequences: false)
            .map { QueryText.encode(String($0)) }.joined(separator: "/")
    }

    // MARK: The browser

    /// Tries one after the other until one takes it.
    private static func show(_ address: String, _ home: HubHome) async throws(CommandFailure) {
        for command in commands {
            // The variable may have arguments in it, as in "firefox --new-window".
            let code = try await hub { () throws(HubError) in
                try await DaemonProcess.launch("/bin/sh", ["-c", "exec \(command) \"$1\"", "sh", address], home: home)
            }
            if code == nil || code == 0 { return }
        }
        throw CommandFailure(.refused, "no_browser", "no browser could be started: set BROWSER, or say --print")
    }

    /// `$BROWSER` may name several, separated by colons.
    private static var commands: [String] {
        let named = (environmentVariable("BROWSER") ?? "").split(separator: ":").map(String.init)
        #if os(macOS)
            return named + ["open"]
        #else
            return named + ["xdg-open"]
        #endif
    }
}
