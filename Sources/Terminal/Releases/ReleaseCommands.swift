import Base
import Client
import Configuration
import Downloads
import Glibc
import Installations
import JSON
import Releases

/// `codeai-hub install`, `update`, `rollback` and `uninstall`.
enum ReleaseCommands {
    // MARK: Installing

    @Sendable static func install(_ invocation: Invocation) async throws(CommandFailure) -> ExitCode {
        try await ReleaseRun.run(invocation) { run throws(CommandFailure) in
            run.settle()
            let plan = try releasing { () throws(ReleaseError) in
                var request = try run.request()
                request.version = try run.version("version")
                request.origin = try invocation.options["source"].map { text throws(ReleaseError) in
                    try ReleaseSource(text)
                }
                return try run.flow.plan(request)
            }
            run.report(.plan(plan))
            return try run.carryOut(plan)
        }
    }

    @Sendable static func update(_ invocation: Invocation) async throws(CommandFailure) -> ExitCode {
        try await ReleaseRun.run(invocation) { run throws(CommandFailure) in
            if !invocation.has("check") { run.settle() }
            guard let installed = run.installation.installed() else {
                throw CommandFailure(
                    .refused, "not_installed",
                    "nothing is installed in \(run.home.path) that could be updated: codeai-hub install")
            }
            let plan = try releasing { () throws(ReleaseError) in try run.flow.plan(try run.request()) }
            let modules = run.modulesPlan(beside: plan)
            let isUpToDate = plan.isUpToDate && modules?.isUpToDate ?? true
            run.report(.plan(plan.with(modules)))
            if invocation.has("check") {
                if !run.output.isJSON, isUpToDate {
                    run.output.print(StyledText("\(installed) is the newest version.\n"))
                }
                return .ok
            }
            guard !isUpToDate, !invocation.has("yes") else { return try run.carryOut(plan, modules: modules) }
            guard TerminalDevice.isInteractive, !run.output.isJSON else {
                throw CommandFailure(.refused, "confirmation_needed", "nobody is there to ask: update --yes")
            }
            guard try run.asks("Update now?\(plan.isUpToDate ? "" : run.turnsSentence)") else {
                run.output.print("Nothing was changed.\n")
                return .ok
            }
            return try run.carryOut(plan, modules: modules)
        }
    }

    @Sendable static func rollBack(_ invocation: Invocation) async throws(CommandFailure) -> ExitCode {
        try await ReleaseRun.run(invocation) { run throws(CommandFailure) in
            let wanted = try releasing { () throws(ReleaseError) in
                try invocation.argument(0).map { text throws(ReleaseError) in try ReleaseRun.version(text) }
            }
            let outcome = try releasing { () throws(ReleaseError) in
                try run.flow.rollBack(to: wanted, daemon: run.daemon)
            }
            return run.done(outcome, ["rolledBack": true])
        }
    }
}

/// Runs what works on releases, and turns its errors into the command's.
func releasing<Value>(_ body: () throws(ReleaseError) -> Value) throws(CommandFailure) -> Value {
    do throws(ReleaseError) { return try body() } catch {
        throw CommandFailure(error.code == "cancelled" ? .interrupted : .refused, error.code, error.message)
    }
}
