import Base
import EventLoop
import HubProtocol
package import JSON
import Processes
import Redaction

/// How far an installation is. Lost when nobody looks: how it ended is in the provider's record.
package struct InstallProgress: Equatable, Sendable {
    package var operationId: String
    package var phase: Installation.Phase
    /// What the recipe printed last.
    package var line: String?
    /// 0 to 100, where the recipe tells.
    package var percent: Int?

    package var json: JSONObject {
        var object: JSONObject = [
            "operation": "install", "operationId": JSON(operationId), "phase": JSON(phase.rawValue),
        ]
        object["line"] = line.map { JSON($0) }
        object["percent"] = percent.map { JSON($0) }
        return object
    }
}

/// One run of a recipe: a supervised child with a time limit, whose output is kept.
package final class Installation {
    package enum Phase: String, Sendable {
        case installing
        /// The program is asked for its version, from its new place.
        case verifying
        case completed, failed, cancelled
    }

    /// Between two messages of progress: eyes see no more.
    private static let progressInterval = Duration.milliseconds(100)
    private static let ladder = TeardownLadder(polite: .zero, terminate: .seconds(2))

    let id: String
    let recipe: ProviderManifest.Recipe
    let tree: String
    private(set) var phase = Phase.installing
    private(set) var isCancelled = false
    var onProgress: (InstallProgress) -> Void = { _ in }
    /// What else could be tried.
    var otherRecipes: [String] = []

    private let version: String?
    private let startedAt: Timestamp
    private let loop: EventLoop
    private let logPath: String
    private var output: InstallOutput
    private var child: ChildProcess?
    private var timer: LoopTimer?
    private var progressTimer: LoopTimer?

    init(
        id: String, recipe: ProviderManifest.Recipe, version: String?, tree: String, log: String,
        redactor: Redactor, loop: EventLoop
    ) {
        self.id = id
        self.recipe = recipe
        self.version = version
        self.tree = tree
        self.loop = loop
        startedAt = .now
        logPath = log
        output = InstallOutput(path: log, redactor: redactor)
    }

    /// - Parameter done: called once, with what went wrong.
    func run(_ specification: ProcessSpecification, limit: Duration, _ done: @escaping (Failure?) -> Void) {
        let child: ChildProcess
        do throws(SpawnError) {
            child = try ChildProcess.spawn(specification, on: loop)
        } catch {
            let failure = failure("\(specification.executable) could not be started: \(error)")
            loop.schedule(after: .zero) { done(failure) }
            return
        }
        self.child = child
        child.closeInput()
        child.onOutput = { [weak self] in self?.printed($0) }
        child.onErrorOutput = { [weak self] in self?.printed($0) }
        var isTooLate = false
        timer = loop.schedule(after: limit) { [weak child] in
            isTooLate = true
            child?.terminate(Installation.ladder)
        }
        child.onExit = { [self] status in
            timer?.cancel()
            self.child = nil
            output.flush()
            if isCancelled { return done(cancellation) }
            if isTooLate {
                return done(failure("took longer than \(limit.components.seconds) s (limits.installSeconds)"))
            }
            guard status == .exited(0) else { return done(failure("ended with \(status)\(quote)")) }
            enter(.verifying)
            done(nil)
        }
    }

    private func printed(_ bytes: UnsafeRawBufferPointer) {
        output.take(bytes)
        guard progressTimer == nil else { return }
        progressTimer = loop.schedule(after: Installation.progressInterval) { [weak self] in
            guard let self else { return }
            progressTimer = nil
            if phase == .installing { onProgress(progress) }
        }
    }

    private var progress: InstallProgress {
        InstallProgress(
            operationId: id, phase: phase, line: output.line.isEmpty ? nil : output.line, percent: output.percent)
    }

    private func enter(_ phase: Phase) {
        self.phase = phase
        onProgress(progress)
    }

    /// Ends the recipe's processes. `done` is called with `install_cancelled` when they are gone.
    func cancel() {
        isCancelled = true
        child?.terminate(Installation.ladder)
    }

    /// When the daemon ends.
    func kill() {
        isCancelled = true
        child?.terminate(.immediate)
    }

    // MARK: How it ends

    var cancellation: Failure {
        Failure(code: "install_cancelled", message: "The installation was cancelled; what was installed before stays.")
    }

    /// The last that it said.
    private var quote: String { output.line.isEmpty ? "" : ": \(output.line)" }

    func failure(_ reason: String) -> Failure {
        let others = otherRecipes.isEmpty ? "" : " Other recipes: \(otherRecipes.joined(separator: ", "))."
        return Failure(
            code: "install_failed",
            message: "The recipe \(recipe.id) \(reason). What was installed before stays; the output is in \(logPath)."
                + others,
            recoverable: true, actions: [.retry],
            details: [
                "recipe": JSON(recipe.id), "log": JSON(logPath),
                "output": JSON(String(decoding: output.tail, as: UTF8.self)),
            ])
    }

    /// Called once, when everything is done.
    /// - Returns: the record of the operation.
    func finish(_ failure: Failure?) -> JSONObject {
        progressTimer?.cancel()
        output.close(failure.map { "failed: \($0.message)" } ?? "completed")
        enter(failure == nil ? .completed : failure?.code == "install_cancelled" ? .cancelled : .failed)
        var record = json
        record["finishedAt"] = JSON(Timestamp.now.description)
        record["error"] = failure.map { .object($0.json) }
        return record
    }

    /// The record of the operation.
    var json: JSONObject {
        var object: JSONObject = [
            "id": JSON(id), "operation": "install", "recipe": JSON(recipe.id), "phase": JSON(phase.rawValue),
            "startedAt": JSON(startedAt.description),
        ]
        object["version"] = version.map { JSON($0) }
        // Not by `? nil :`, which would be a JSON null here.
        if !output.line.isEmpty { object["line"] = JSON(output.line) }
        object["percent"] = output.percent.map { JSON($0) }
        return object
    }
}
