import Client
import Glibc
import JSON

/// Has a provider installed, and shows how it goes until it has ended.
struct InstallFollower {
    let connection: Connection
    let output: Output

    private enum Happening: Sendable {
        case hub(HubEvent)
        case signal(Int32)
    }

    func run(_ id: String, recipe: String?, version: String?) async throws(CommandFailure) -> ExitCode {
        let (happenings, feed) = AsyncStream.makeStream(of: Happening.self)
        let signals = try? SignalWatch { feed.yield(.signal($0)) }
        var options = StreamOptions()
        // No events of sessions are wanted.
        options.subscription = .sessions([])
        options.chunks = false
        let chosen = options
        // Before the request, so that the end can't be missed.
        let stream = try await hub { () throws(HubError) in try await connection.client.openStream(chosen) }
        let forwarder = Task {
            for await event in stream.events { feed.yield(.hub(event)) }
        }
        defer {
            forwarder.cancel()
            stream.close()
            signals?.close()
        }
        var body: JSONObject = [:]
        body["recipe"] = recipe.map { JSON($0) }
        body["version"] = version.map { JSON($0) }
        let answer = try await connection.call("POST", "/providers/\(id)/install", .object(body))
        let operation = answer["operation"]?["id"]?.stringValue ?? ""
        if !output.isJSON { output.note("recipe \(RequestText.plain(answer["operation"]?["recipe"]))") }
        var isCancelling = false
        for await happening in happenings {
            switch happening {
            case .hub(.ended(let error)):
                throw CommandFailure(error ?? HubError(.connectionLost, "the connection to the daemon has ended"))
            case .hub(.frame(let frame)):
                if let end = try take(frame, id, operation, isCancelling: isCancelling) { return end }
            case .hub: break
            case .signal:
                guard !isCancelling else { return .interrupted }
                isCancelling = true
                output.note("cancelling; again to leave")
                let client = connection.client
                Task { try? await client.call("DELETE", "/providers/\(id)/install") }
            }
        }
        return .interrupted
    }

    /// The exit code when the operation has ended.
    private func take(
        _ frame: HubFrame, _ id: String, _ operation: String, isCancelling: Bool
    ) throws(CommandFailure) -> ExitCode? {
        switch frame.type {
        case "provider:progress":
            guard let progress = frame.payload, progress["operationId"]?.stringValue == operation else { return nil }
            if output.isJSON { output.print(json: frame.json) } else { show(progress) }
            return nil
        case "provider:update":
            return frame.payload?["id"]?.stringValue == id
                ? try end(frame.payload ?? .null, operation, isCancelling) : nil
        case "core:state":
            // After a reconnect: it may have ended meanwhile.
            let record = frame.payload?["providers"]?.arrayValue?.first { $0["id"]?.stringValue == id }
            return try record.flatMap { record throws(CommandFailure) in try end(record, operation, isCancelling) }
        default: return nil
        }
    }

    private func show(_ progress: JSON) {
        switch progress["phase"]?.stringValue {
        case "installing":
            guard let line = progress["line"]?.stringValue else { return }
            let percent = progress["percent"]?.intValue.map { "\($0) % " } ?? ""
            output.note(percent + line)
        case "verifying": output.note("asking the new program for its version")
        default: break
        }
    }

    private func end(_ record: JSON, _ operation: String, _ isCancelling: Bool) throws(CommandFailure) -> ExitCode? {
        guard let last = record["operation"], last["id"]?.stringValue == operation else { return nil }
        switch last["phase"]?.stringValue {
        case "completed":
            // The first word of it can come before the new program was asked again.
            let version = record["install"]?["version"]?.stringValue ?? record["version"]?.stringValue ?? ""
            ProviderCommands.tell("\(ProviderCommands.name(record)) \(version) is installed.", record, output)
            return .ok
        case "failed", "cancelled":
            let error = last["error"]
            if !output.isJSON, let said = error?["details"]?["output"]?.stringValue { output.note(said) }
            throw CommandFailure(
                isCancelling ? .interrupted : .refused, error?["code"]?.stringValue ?? "install_failed",
                error?["message"]?.stringValue ?? "the installation failed")
        default: return nil
        }
    }
}
