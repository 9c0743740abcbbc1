import Base
import Configuration
import EventLoop
import HubProtocol
import JSON

/// Writes what clients set into the configuration file, on a thread of its own, one change after the other: a disk takes
/// its time, and the loop has sessions to serve.
final class SettingsWriter {
    /// Changes that may wait. Whoever has more is no person.
    private static let limit = 64

    private var thread: EventLoop?
    private var waiting = 0

    /// - Parameter done: called on `loop` when the file has the changes, or none of them.
    /// - Throws: `busy`; nothing will be written then.
    func write(
        _ changes: [ConfigurationFile.Change], to file: (file: ConfigurationFile, backups: String), on loop: EventLoop,
        _ done: @escaping (Result<Void, Failure>) -> Void
    ) throws(Failure) {
        guard waiting < SettingsWriter.limit else {
            throw Failure(
                code: "busy", message: "\(waiting) changes of the settings are waiting already.", recoverable: true,
                actions: [.retryLater])
        }
        let thread = try startedThread()
        waiting += 1
        let bound = LoopBound((writer: self, done: done), loop: loop)
        thread.submit {
            var failure: Failure?
            do throws(ConfigurationError) {
                try file.file.change(changes, backups: file.backups)
            } catch {
                failure = Failure(error)
            }
            loop.submit { [failure] in
                bound.value.writer.waiting -= 1
                bound.value.done(failure.map { .failure($0) } ?? .success(()))
            }
        }
    }

    /// Ends the thread after what it is at; nothing is written any more.
    func stop() { thread?.stop() }

    private func startedThread() throws(Failure) -> EventLoop {
        if let thread { return thread }
        do throws(SystemError) {
            let started = try EventLoop.startThread(name: "settings")
            thread = started
            return started
        } catch {
            throw Failure(
                code: "busy", message: "The settings can't be written now: \(error).", recoverable: true,
                actions: [.retryLater])
        }
    }
}

extension SettingsPatch {
    /// - Parameter isProvider: whether there is a provider of that name: a setting of any other would do nothing.
    /// - Throws: `setting_privileged`, `invalid_request`.
    static func changes(
        of patch: JSONObject, isProvider: (String) -> Bool
    ) throws(Failure) -> [ConfigurationFile.Change] {
        do throws(Refusal) {
            let changes = try SettingsPatch(patch).changes
            let unknown = changes.filter { change in
                let path = change.key.split(separator: ".")
                return path[0] == "providers" && change.value != nil && !isProvider(String(path[1]))
            }
            guard unknown.isEmpty else {
                throw Refusal(
                    problems: unknown.map { Problem(key: $0.key, reason: "names a provider that there isn't") })
            }
            return changes
        } catch {
            throw Failure(error)
        }
    }
}

extension Failure {
    fileprivate init(_ error: ConfigurationError) {
        self.init(
            code: "configuration_broken",
            message: "The configuration file can't be used or written; nothing was changed.\n\(error)",
            details: ["problems": .array(error.problems.map(\.json))])
    }

    fileprivate init(_ refusal: SettingsPatch.Refusal) {
        let isPrivileged = refusal.problems.contains(where: \.isPrivileged)
        // What was sent may be megabytes of nonsense: it isn't all said back.
        let problems = refusal.problems.prefix(20).map {
            (key: String($0.key.prefix(128)), reason: $0.reason.prefix(256))
        }
        self.init(
            code: isPrivileged ? "setting_privileged" : "invalid_request",
            message: problems.map { "\($0.key) \($0.reason)" }.joined(separator: "; ") + ". Nothing was changed.",
            details: [
                "field": JSON(problems.first?.key ?? ""),
                "problems": .array(problems.map { ["key": JSON($0.key), "reason": JSON(String($0.reason))] }),
            ])
    }
}
