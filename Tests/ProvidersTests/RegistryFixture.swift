import EventLoop
import Foundation
import HubProtocol
import JSON
import TestSupport
import Testing

@testable import Providers

/// A registry on a home of its own, whose loop the test turns itself.
final class RegistryFixture {
    let folder: TemporaryFolder
    let loop: EventLoop
    let registry: ProviderRegistry
    var changes: [String] = []
    var removals: [String] = []
    var problems: [ManifestError] = []
    var progress: [InstallProgress] = []
    var inUse: Set<String> = []

    var hub: String { folder.path + "/hub" }

    init(
        _ folder: TemporaryFolder? = nil, overrides: [String: ProviderOverride] = [:],
        environment: [String: String] = [:], installSeconds: Double = 60
    ) throws {
        self.folder = try folder ?? TemporaryFolder("registry")
        loop = try EventLoop()
        var variables = ["HOME": self.folder.path, "PATH": self.folder.path + "/bin:/usr/bin:/bin"]
        variables.merge(environment) { $1 }
        var surroundings = ProviderRegistry.Surroundings(
            hubHome: self.folder.path + "/hub", program: "/opt/hub/codeai-hub-core", environment: variables,
            owner: "test-\(self.folder.path)")
        surroundings.installSeconds = installSeconds
        surroundings.coreVersion = "0.1.0"
        registry = ProviderRegistry(surroundings: surroundings, overrides: overrides, loop: loop)
        registry.onChange = { [weak self] in self?.changes.append($0) }
        registry.onRemoval = { [weak self] in self?.removals.append($0) }
        registry.onProblem = { [weak self] in self?.problems.append($0) }
        registry.onProgress = { [weak self] in self?.progress.append($1) }
        registry.isInUse = { [weak self] in self?.inUse.contains($0) == true }
    }

    /// Turns the loop until something is so.
    func until(
        _ what: @autoclosure () -> String, within limit: Duration = .seconds(60), _ isSo: () throws -> Bool
    ) throws {
        let deadline = ContinuousClock.now + limit
        while try !isSo() {
            guard ContinuousClock.now < deadline else { throw TestFailure("not within \(limit): \(what())") }
            loop.turn(waitingAtMost: .milliseconds(20))
        }
    }

    func record(_ id: String) -> JSONObject { registry.record(id) ?? [:] }

    func code(_ body: () throws -> Void) -> String {
        do { try body() } catch { return (error as? Failure)?.code ?? "\(error)" }
        return "none"
    }

    // MARK: Files

    /// Writes a script into the folder's `bin`, which is in PATH.
    func program(_ name: String, _ script: String) throws {
        try writeProgram(folder.path + "/bin/" + name, "#!/bin/sh\n" + script)
    }

    func modulePath(_ id: String) -> String { hub + "/providers/\(id)/module.json" }

    func module(_ id: String, _ text: String) throws { try folder.write("hub/providers/\(id)/module.json", text) }

    // MARK: Installed modules

    /// A bundled manifest with some members replaced; null removes one.
    func bundled(_ id: String, _ changes: JSONObject) throws -> JSONObject {
        let bytes = try #require(BundledManifests.all.first { $0.id == id }).bytes
        var object = try #require(try JSON.parse(bytes).objectValue)
        for (key, value) in changes { object[key] = value.isNull ? nil : value }
        return object
    }

    func moduleFolder(_ id: String, _ version: String) -> String { "\(hub)/providers/\(id)/modules/\(version)" }

    func lay(_ id: String, _ version: String, _ text: String) throws { try folder.layModule(id, version, text) }

    /// Says which module is installed; nil for none.
    func name(_ id: String, _ version: String?) throws { try folder.nameModule(id, version) }

    /// Both, of a bundled manifest with some members replaced.
    func installModule(_ id: String, _ version: String, _ changes: JSONObject = [:]) throws {
        var object = try bundled(id, changes)
        if changes["moduleVersion"] == nil { object["moduleVersion"] = JSON(version) }
        try lay(id, version, JSON.object(object).description)
        try name(id, version)
    }

    func exists(_ path: String) -> Bool { FileManager.default.fileExists(atPath: path) }

    func names(_ path: String) -> [String] {
        ((try? FileManager.default.contentsOfDirectory(atPath: path)) ?? []).sorted()
    }
}
