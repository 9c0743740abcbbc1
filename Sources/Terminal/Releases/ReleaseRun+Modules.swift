import Base
import Client
import Configuration
import Downloads
import HubProtocol
import Installations
import JSON
import Releases

/// Modules of providers, as `providers update` and `update` bring them.
extension ReleaseRun {
    static let modulesList = "providers-manifest.json"

    var modules: ModuleFlow {
        var modules = ModuleFlow(
            home: installation, downloader: flow.downloader, judge: CoreJudge(home: home, installation: installation))
        modules.report = flow.report
        modules.isCancelled = flow.isCancelled
        modules.keep = flow.keep
        return modules
    }

    /// - Parameter provider: nil: all that the core knows.
    func moduleRequest(_ provider: String?) throws(ReleaseError) -> ModuleFlow.Request {
        let list = ReleaseRun.modulesList
        let source =
            if let from = invocation.options["from"] {
                try ReleaseSource(from, manifest: list)
            } else {
                // They are published together.
                try ReleaseSource(mirrors: settings.manifests).beside(list)
            }
        var request = ModuleFlow.Request(source: source, keys: try keys())
        request.allowsUnsigned = invocation.has("allow-unsigned")
        request.provider = provider
        return request
    }

    /// The modules in the plan of an update of the core. A mirror that has none, or can't be asked for them, keeps nobody from
    /// the core's update.
    func modulesPlan(beside plan: ReleasePlan) -> ReleasePlan? {
        do throws(ReleaseError) {
            var request = try moduleRequest(nil)
            request.source = try ReleaseSource(mirrors: [plan.manifest]).beside(ReleaseRun.modulesList)
            request.core = plan.changes.first { $0.component == .core }?.entry.version
            return try modules.plan(request)
        } catch {
            if error.code != DownloadError.Code.absent.name {
                report(.skipped(ReleaseRun.modulesList, reason: error.message))
            }
            return nil
        }
    }

    /// What became of the modules of a plan.
    struct ModuleResult {
        var outcome: ModuleFlow.Outcome
        /// What the daemon says against the provider now, and didn't before.
        var problem: String?
        var failure: ReleaseError?

        var json: JSON {
            var object: JSONObject = ["component": JSON("\(Component.provider(outcome.provider))")]
            object["from"] = outcome.from.map { JSON("\($0)") } ?? .null
            object["to"] = outcome.to.map { JSON("\($0)") } ?? .null
            object["problem"] = problem.map { JSON($0) }
            object["error"] = failure.map { ["code": JSON($0.code), "message": JSON($0.message)] }
            return .object(object)
        }
    }

    /// Each by itself: one that fails keeps no other from being installed.
    func carryOut(modulesOf plan: ReleasePlan) throws(CommandFailure) -> [ModuleResult] {
        var results: [ModuleResult] = []
        for change in plan.changes {
            guard case .provider(let id) = change.component else { continue }
            // A core that was updated just now may have a newer one inside.
            if let present = try? modules.judge.modules().versions[id], present >= change.entry.version { continue }
            let before = control.problem(with: id)
            var result = ModuleResult(outcome: ModuleFlow.Outcome(provider: id, from: change.from, to: nil))
            do throws(ReleaseError) {
                result.outcome = try modules.apply(change, of: plan)
                let after = control.problem(with: id)
                if after != before { result.problem = after }
            } catch {
                if error.code == ReleaseError.Code.cancelled.rawValue {
                    throw CommandFailure(.interrupted, error.code, error.message)
                }
                result.failure = error
            }
            results.append(result)
        }
        return results
    }

    func tell(_ results: [ModuleResult]) {
        guard !output.isJSON else { return }
        for result in results {
            let id = result.outcome.provider
            if let failure = result.failure {
                output.note("! the module of \(id) was not installed: \(failure.message)")
                continue
            }
            if let to = result.outcome.to {
                let before = result.outcome.from.map { ", \($0) before" } ?? ""
                output.print(StyledText("The module \(to) of \(id) is in force\(before).\n"))
            }
            if let problem = result.problem {
                output.note("! \(id) can't be used with it: \(problem). Back: codeai-hub providers rollback \(id)")
            }
        }
    }
}

/// `codeai-hub providers update` and `providers rollback`.
enum ModuleCommands {
    @Sendable static func update(_ invocation: Invocation) async throws(CommandFailure) -> ExitCode {
        let provider = try invocation.argument(1).map { word throws(CommandFailure) in try id(word) }
        return try await ReleaseRun.run(invocation) { run throws(CommandFailure) in
            let plan = try releasing { () throws(ReleaseError) in
                try run.modules.plan(try run.moduleRequest(provider))
            }
            run.report(.plan(plan))
            if invocation.has("check") || plan.isUpToDate {
                if !run.output.isJSON {
                    if plan.isUpToDate { run.output.print("There is no newer module.\n") }
                } else if !invocation.has("check") {
                    run.output.print(json: ["event": "done", "upToDate": true, "modules": []])
                }
                return .ok
            }
            if !invocation.has("yes") {
                guard TerminalDevice.isInteractive, !run.output.isJSON else {
                    throw CommandFailure(
                        .refused, "confirmation_needed", "nobody is there to ask: providers update --yes")
                }
                guard try run.asks("Install now? Nothing restarts; sessions that run go on as they are.") else {
                    run.output.print("Nothing was changed.\n")
                    return .ok
                }
            }
            let results = try run.carryOut(modulesOf: plan)
            run.tell(results)
            if let failed = results.first(where: { $0.failure != nil }), let failure = failed.failure {
                throw CommandFailure(.refused, failure.code, "\(failed.outcome.provider): \(failure.message)")
            }
            if run.output.isJSON {
                run.output.print(json: [
                    "event": "done", "upToDate": false, "modules": .array(results.map(\.json)),
                ])
            }
            return .ok
        }
    }

    @Sendable static func rollBack(_ invocation: Invocation) async throws(CommandFailure) -> ExitCode {
        guard let word = invocation.argument(1) else {
            throw .usage("ID is missing: codeai-hub providers rollback ID")
        }
        let provider = try id(word)
        return try await ReleaseRun.run(invocation) { run throws(CommandFailure) in
            let before = run.control.problem(with: provider)
            let outcome = try releasing { () throws(ReleaseError) in
                try run.modules.rollBack(provider, to: try run.version("version"))
            }
            var result = ReleaseRun.ModuleResult(outcome: outcome)
            let after = run.control.problem(with: provider)
            if after != before { result.problem = after }
            if run.output.isJSON {
                run.output.print(json: ["event": "done", "rolledBack": true, "modules": [result.json]])
            } else {
                let now = outcome.to.map { "the module \($0)" } ?? "the one that the core has inside"
                run.output.print(StyledText("The manifest of \(provider) is \(now) again.\n"))
                if let problem = result.problem { run.output.note("! \(provider) can't be used: \(problem)") }
            }
            return .ok
        }
    }

    private static func id(_ word: String) throws(CommandFailure) -> String {
        let id = ProviderID.resolve(word)
        guard Component.isIdentifier(id) else { throw .usage("\(word) is no provider's id") }
        return id
    }
}

extension TerminalDaemonControl {
    /// What the daemon says against a provider once it has looked anew; nil when nothing, and when no daemon answers.
    func problem(with provider: String) -> String? {
        let client = client
        let record = waiting { try? await client.call("POST", "/providers/\(provider)/check", timeout: .seconds(20)) }
        let own = record?["module"]?["problem"]?["reason"]?.stringValue
        return own ?? record?["problem"]?.stringValue
    }
}
