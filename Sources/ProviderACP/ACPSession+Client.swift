import ACPMessages
import Glibc
import JSON
import Processes
import Providers

/// What the daemon does for its agent: files and terminals, within the workspace.
extension ACPSession {
    /// - Returns: the answer; nil when it comes later.
    func serve(_ id: JSON, _ method: String, _ params: JSON) -> Result<JSONObject, ACPError>? {
        let isFile = method == "fs/read_text_file" || method == "fs/write_text_file"
        guard isFile && configuration.servesFiles || terminals != nil && method.hasPrefix("terminal/") else {
            emit(.custom(type: method, data: params))
            return .failure(.methodNotFound(method))
        }
        guard let nativeSessionId, params["sessionId"]?.stringValue == nativeSessionId else {
            return .failure(.invalidParameters("sessionId must be this session's"))
        }
        do throws(ACPError) {
            switch method {
            case "fs/read_text_file": return .success(try readFile(params))
            case "fs/write_text_file": return .success(try writeFile(params))
            case "terminal/create": return .success(try createTerminal(params))
            case "terminal/output": return .success(try terminalOutput(try terminalId(params)))
            case "terminal/wait_for_exit":
                let terminal = try terminalId(params)
                if let exit = terminals?[terminal]?.exit { return .success(exit.acp) }
                try terminals?.wait(id, for: terminal)
                return nil
            case "terminal/kill":
                terminals?.kill(try terminalId(params))
                return .success([:])
            case "terminal/release":
                let terminal = try terminalId(params)
                terminals?.release(terminal)
                decodeInPlace { $0.releaseTerminal(terminal, into: &$1) }
                return .success([:])
            default: return .failure(.methodNotFound(method))
            }
        } catch {
            return .failure(error)
        }
    }

    // MARK: Files

    private func readFile(_ params: JSON) throws(ACPError) -> JSONObject {
        let text = try workspace.read(
            try ACPSession.path(params, "path"), line: try ACPSession.count(params, "line"),
            limit: try ACPSession.count(params, "limit"))
        return ["content": JSON(text)]
    }

    private func writeFile(_ params: JSON) throws(ACPError) -> JSONObject {
        let path = try ACPSession.path(params, "path")
        guard let text = params["content"]?.stringValue else { throw .invalidParameters("content must be a text") }
        let old = try workspace.write(path, text)
        actsByItself()
        decodeInPlace { $0.wrote(path, oldText: old, newText: text, into: &$1) }
        return [:]
    }

    // MARK: Terminals

    private func createTerminal(_ params: JSON) throws(ACPError) -> JSONObject {
        guard let terminals else { throw .methodNotFound("terminal/create") }
        guard let command = params["command"]?.stringValue, !command.isEmpty else {
            throw .invalidParameters("command must be a text")
        }
        let arguments = try ACPSession.arguments(params)
        let asked = try ACPSession.count(params, "outputByteLimit") ?? Int.max
        let limit = min(asked, configuration.maximumTerminalOutputBytes)
        let path =
            params["cwd"].flatMap { $0.isNull ? nil : $0 } == nil ? workspace.path : try ACPSession.path(params, "cwd")
        let folder = try workspace.openFolder(path)
        defer { close(folder) }
        var specification = ProcessSpecification(
            executable: command, arguments: arguments, environment: configuration.environment)
        // Not those of the hub: by them what an agent has started is found when it has to end.
        for (name, value) in try ACPSession.environment(params) where !name.hasPrefix("CODEAI_HUB_") {
            specification.environment[name] = value
        }
        if arguments.isEmpty, ACPSession.needsShell(command) {
            let bash = ExecutableLookup.find("bash", searchPath: specification.environment["PATH"] ?? "/usr/bin:/bin")
            specification.executable = bash ?? "/bin/sh"
            specification.arguments = ["-c", command]
        }
        let terminal = try terminals.create(specification, folder: folder)
        actsByItself()
        decodeInPlace {
            $0.openTerminal(
                terminal, command: command, arguments: arguments, folder: path, limit: limit, into: &$1)
        }
        return ["terminalId": JSON(terminal)]
    }

    /// Several agents put a whole command line where the protocol has the program's name.
    private static func needsShell(_ command: String) -> Bool {
        let special = Set(" \t\n;&|<>()$`\"'*?[]{}~#\\!".utf8)
        return command.utf8.contains { special.contains($0) }
    }

    private func terminalOutput(_ terminal: String) throws(ACPError) -> JSONObject {
        guard let (text, isTruncated) = decodeInPlace({ decoder, _ in decoder.terminalOutput(terminal) }) else {
            throw .invalidParameters("There is no terminal \(terminal)")
        }
        var answer: JSONObject = ["output": JSON(text), "truncated": JSON(isTruncated)]
        if let exit = terminals?[terminal]?.exit { answer["exitStatus"] = .object(exit.acp) }
        return answer
    }

    private func terminalId(_ params: JSON) throws(ACPError) -> String {
        guard let id = params["terminalId"]?.stringValue, terminals?[id] != nil else {
            throw .invalidParameters("There is no such terminal, or it was released")
        }
        return id
    }

    /// Hands on what the commands say and how they end.
    func hearTerminals() {
        terminals?.onText = { [weak self] id, text in
            guard let self, phase != .ended else { return }
            batch { self.decodeInPlace { $0.terminal(id, said: text, into: &$1) } }
        }
        terminals?.onExit = { [weak self] id, status, waiting in
            guard let self, phase != .ended else { return }
            batch {
                self.decodeInPlace { $0.terminal(id, ended: status.acp, into: &$1) }
                for request in waiting { self.transport.write(ACPMessage.answer(request, status.acp)) }
            }
        }
        terminals?.onAllEnded = { [weak self] in self?.terminalsEnded() }
    }

    /// The agent is gone, or is to go: its commands are ended, and what they said is told.
    func releaseTerminals() {
        guard let terminals else { return }
        for id in terminals.unreleased { decodeInPlace { $0.releaseTerminal(id, into: &$1) } }
        terminals.releaseAll()
    }

    /// What the agent has done outside of a turn makes one.
    private func actsByItself() {
        if turn == nil { beginUnsentTurn() }
        if turn == .unsent { stillTalking() }
    }

    // MARK: Parameters

    private static func path(_ params: JSON, _ name: String) throws(ACPError) -> String {
        guard let path = params[name]?.stringValue else { throw .invalidParameters("\(name) must be an absolute path") }
        return path
    }

    private static func count(_ params: JSON, _ name: String) throws(ACPError) -> Int? {
        guard let value = params[name], !value.isNull else { return nil }
        guard let count = value.intValue, count >= 0 else { throw .invalidParameters("\(name) must be a count") }
        return count
    }

    private static func arguments(_ params: JSON) throws(ACPError) -> [String] {
        guard let value = params["args"], !value.isNull else { return [] }
        guard let array = value.arrayValue else { throw .invalidParameters("args must be an array of texts") }
        let texts = array.compactMap { $0.stringValue }
        guard texts.count == array.count else { throw .invalidParameters("args must be an array of texts") }
        return texts
    }

    private static func environment(_ params: JSON) throws(ACPError) -> [(String, String)] {
        guard let value = params["env"], !value.isNull else { return [] }
        var variables: [(String, String)] = []
        for entry in value.arrayValue ?? [entryless] {
            guard let name = entry["name"]?.stringValue, let text = entry["value"]?.stringValue, !name.isEmpty,
                !name.utf8.contains(UInt8(ascii: "="))
            else { throw .invalidParameters("env must be an array of names and values") }
            variables.append((name, text))
        }
        return variables
    }

    /// No variable at all, so that a value that is no array is refused like an entry that is none.
    private static let entryless: JSON = [:]
}
