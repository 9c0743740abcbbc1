import Base
import Client
import Configuration
import Glibc
import JSON

/// `codeai-hub config edit`: a copy in the person's editor, checked before it takes the file's place.
struct ConfigEditing {
    let place: ConfigurationPlace
    let output: Output

    func run() throws(CommandFailure) -> ExitCode {
        let file = ConfigurationFile(place.path)
        do {
            let old = try file.read()
            let draft = "\(place.path).draft.\(getpid())"
            try write(old ?? Configuration.firstFile, to: draft)
            while true {
                try edit(draft)
                guard let text = try ConfigurationFile(draft).read() else {
                    throw CommandFailure(.refused, "no_draft", "the editor left no file at \(draft)")
                }
                if let problem = problem(with: text, draft) {
                    output.note(problem)
                    guard asksAgain() else {
                        throw CommandFailure(
                            .refused, "configuration_broken",
                            "nothing was changed; what you wrote is in \(draft)")
                    }
                    continue
                }
                guard text != old else {
                    unlink(draft)
                    return tell(false, "Nothing was changed.")
                }
                guard try file.replace(old, with: text) else {
                    throw CommandFailure(
                        .refused, "changed_meanwhile",
                        "\(place.path) was changed meanwhile and is left as it is; what you wrote is in \(draft)")
                }
                unlink(draft)
                return tell(
                    true,
                    place.client == nil
                        ? "Saved; the daemon goes by it from its next start on."
                        : "Saved; the daemon takes it up within 2 s, but for what needs a restart.")
            }
        } catch let error as CommandFailure {
            throw error
        } catch let error as ConfigurationError {
            throw CommandFailure(error)
        } catch {
            throw CommandFailure(.refused, "failed", "\(error)")
        }
    }

    private func tell(_ changed: Bool, _ sentence: String) -> ExitCode {
        if output.isJSON {
            output.print(json: ["path": JSON(place.path), "changed": JSON(changed)])
        } else {
            output.print(StyledText("\(sentence)\n"))
        }
        return .ok
    }

    /// Every mistake with the line on which it stands in the draft.
    private func problem(with text: [UInt8], _ draft: String) -> String? {
        do throws(ConfigurationError) {
            _ = try Configuration.parse(text, source: draft)
            return nil
        } catch {
            return error.description
        }
    }

    private func write(_ bytes: [UInt8], to path: String) throws(CommandFailure) {
        do throws(SystemError) {
            try writeFile(path, bytes)
        } catch {
            throw CommandFailure(.refused, "failed", "\(error)")
        }
    }

    private func edit(_ draft: String) throws(CommandFailure) {
        let named = ["VISUAL", "EDITOR"].compactMap(environmentVariable).first { !$0.isEmpty }
        let known = ["/usr/bin/sensible-editor", "/usr/bin/editor", "/usr/bin/nano", "/usr/bin/vi"]
        guard let editor = named ?? known.first(where: { access($0, X_OK) == 0 }) else {
            throw CommandFailure(.usage, "usage", "there is no editor: set VISUAL or EDITOR")
        }
        let code: Int32
        do throws(HubError) {
            // The variable may have arguments in it, as in "code --wait".
            code = try DaemonProcess.run("/bin/sh", ["-c", "exec \(editor) \"$1\"", "sh", draft], home: place.home)
        } catch {
            throw CommandFailure(error)
        }
        guard code == 0 else {
            throw CommandFailure(
                .refused, "editor_failed", "the editor ended with \(code); nothing was changed, the draft is \(draft)")
        }
    }

    private func asksAgain() -> Bool {
        guard isatty(STDIN_FILENO) == 1 else { return false }
        TerminalDevice.write("Edit again? [Y/n] ", to: STDERR_FILENO)
        guard let answer = readLine() else { return false }
        return !["n", "no"].contains(answer.lowercased())
    }
}
