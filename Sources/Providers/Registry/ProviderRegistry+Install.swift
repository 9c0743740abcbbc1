import Base
package import HubProtocol
package import JSON
import Processes

/// Installing, updating and removing programs in the providers' own folders.
extension ProviderRegistry {
    package var isInstalling: Bool { !installations.isEmpty }

    /// Begins to carry out one of the manifest's recipes, also when something is installed already: that is in use
    /// until the new one is complete and has been asked for its version, and stays when anything fails.
    ///
    /// - Parameters:
    ///   - recipeId: nil for the first whose requirements are met.
    ///   - version: of the recipe's package; nil for its newest.
    /// - Returns: the record of the operation; how it goes on comes through `onProgress` and `onChange`.
    /// - Throws: `provider_not_found`, `busy` when one runs, `no_install_recipe`, `install_requirement_missing`,
    ///   `invalid_request`, `internal_error`.
    package func install(_ id: String, recipe recipeId: String?, version: String?) throws(Failure) -> JSONObject {
        let manifest = try known(id)
        try requireNoInstallation(manifest)
        let recipe = try chosenRecipe(recipeId, manifest)
        let pin = try checkedPin(version, recipe)
        let folder = folder(of: manifest.id)
        let versions = InstalledVersions(folder: folder)
        let tree: String
        do throws(SystemError) {
            try makeDirectories(folder)
            if let problem = ProviderFiles.problem(withFolder: folder) {
                throw SystemError(errno: 0, operation: "\(folder) \(problem)")
            }
            tree = try versions.makeTree()
        } catch {
            throw Failure(code: "internal_error", message: "The folder for it can't be prepared: \(error).")
        }
        let specification = specification(of: recipe, manifest, tree: tree, pin: pin)
        let installation = Installation(
            id: identifiers.next(), recipe: recipe, version: version, tree: tree, log: "\(folder)/install.log",
            redactor: surroundings.redactor, loop: loop)
        installation.otherRecipes = manifest.install.filter { $0.id != recipe.id && missing(for: $0).isEmpty }.map(\.id)
        installation.onProgress = { [weak self] in self?.onProgress(manifest.id, $0) }
        installations[manifest.id] = installation
        installation.run(specification, limit: .seconds(surroundings.installSeconds)) { [weak self] failure in
            if let failure {
                self?.finish(installation, manifest.id, failure)
            } else {
                self?.verify(installation, manifest.id)
            }
        }
        onChange(manifest.id)
        return installation.json
    }

    /// - Throws: `provider_not_found`, `not_installing`.
    package func cancelInstall(_ id: String) throws(Failure) {
        let manifest = try known(id)
        guard let installation = installations[manifest.id] else {
            throw Failure(code: "not_installing", message: "Nothing is being installed for \(manifest.name).")
        }
        installation.cancel()
    }

    /// Takes out of use what was installed by a recipe. Processes that run from it go on; it is deleted when the last
    /// of them has ended.
    /// - Throws: `provider_not_found`, `busy`, `not_installed`, `internal_error`.
    package func uninstall(_ id: String) throws(Failure) {
        let manifest = try known(id)
        try requireNoInstallation(manifest)
        let versions = InstalledVersions(folder: folder(of: manifest.id))
        guard versions.current != nil else {
            let place = probes[manifest.id]?.executable.map { " It is used from \($0)." } ?? ""
            throw Failure(
                code: "not_installed", message: "\(manifest.name) was not installed by the hub.\(place)")
        }
        do throws(SystemError) {
            try versions.useNothing()
        } catch {
            throw Failure(code: "internal_error", message: "It can't be removed: \(error).")
        }
        outcomes[manifest.id] = nil
        check(manifest.id)
        sweepVersions()
    }

    /// When the daemon ends: what is not complete is rubbish, which the next start clears away.
    package func endInstallations() {
        for installation in installations.values { installation.kill() }
    }

    private func requireNoInstallation(_ manifest: ProviderManifest) throws(Failure) {
        guard installations[manifest.id] == nil else {
            throw Failure(
                code: "busy", message: "\(manifest.name) is being installed.", recoverable: true,
                actions: [.retryLater])
        }
    }

    // MARK: What is run

    private var installerEnvironment: [String: String] {
        ProviderEnvironment.build(
            inherited: surroundings.environment, passing: ProviderEnvironment.ofInstallers,
            additions: [
                // Lines as they come, no questions that nobody would see, no hints about newer installers.
                ["PYTHONUNBUFFERED": "1", "PIP_NO_INPUT": "1", "PIP_DISABLE_PIP_VERSION_CHECK": "1"],
                ["NO_UPDATE_NOTIFIER": "1", "NPM_CONFIG_FUND": "false", "NPM_CONFIG_AUDIT": "false"],
            ], owner: surroundings.owner)
    }

    /// The programs that a recipe needs and that are not there.
    func missing(for recipe: ProviderManifest.Recipe) -> [String] {
        let searchPath = ProviderEnvironment.searchPath(surroundings.environment)
        return recipe.requires.filter { ExecutableLookup.find($0, searchPath: searchPath) == nil }
    }

    private func chosenRecipe(_ id: String?, _ manifest: ProviderManifest) throws(Failure) -> ProviderManifest.Recipe {
        guard !manifest.install.isEmpty else {
            throw Failure(
                code: "no_install_recipe", message: "The manifest of \(manifest.name) doesn't say how to install it.")
        }
        let recipes = manifest.install.map { recipe in
            let absent = missing(for: recipe)
            return recipe.id + (absent.isEmpty ? "" : " (needs \(absent.joined(separator: ", ")))")
        }.joined(separator: ", ")
        guard let id else {
            if let first = manifest.install.first(where: { missing(for: $0).isEmpty }) { return first }
            throw Failure(
                code: "install_requirement_missing",
                message: "No recipe for \(manifest.name) can be carried out here: \(recipes).", recoverable: true)
        }
        guard let recipe = manifest.install.first(where: { $0.id == id }) else {
            throw Failure(
                code: "invalid_request", message: "\(manifest.name) has no recipe of that name, but \(recipes).",
                details: ["field": "recipe"])
        }
        let absent = missing(for: recipe)
        guard absent.isEmpty else {
            throw Failure(
                code: "install_requirement_missing",
                message: "The recipe \(id) needs \(absent.joined(separator: ", ")), which is not in PATH. "
                    + "The recipes are \(recipes).", recoverable: true, details: ["missing": JSON(absent)])
        }
        return recipe
    }

    /// A version comes from a client and ends up in an argument: nothing but a version can be one.
    private func checkedPin(_ version: String?, _ recipe: ProviderManifest.Recipe) throws(Failure) -> String {
        guard let version else { return "" }
        guard let pin = recipe.pin else {
            throw Failure(
                code: "invalid_request", message: "The recipe \(recipe.id) installs the newest version only.",
                details: ["field": "version"])
        }
        guard ProviderManifest.isValidIdentifier(version), version.first?.isNumber == true else {
            throw Failure(
                code: "invalid_request",
                message: "A version begins with a digit and has letters, digits, '.', '_', '-'.",
                details: ["field": "version"])
        }
        return pin + version
    }

    private func specification(
        of recipe: ProviderManifest.Recipe, _ manifest: ProviderManifest, tree: String, pin: String
    ) -> ProcessSpecification {
        var placeholders = placeholders(manifest, ["target": tree, "pin": pin])
        let base = installerEnvironment
        placeholders.variables = base
        var environment = base
        for (name, value) in recipe.environment { environment[name] = placeholders.expand(value) }
        let words = recipe.command.map { placeholders.expand($0) }
        return ProcessSpecification(
            executable: words[0], arguments: Array(words.dropFirst()), environment: environment, workingDirectory: tree)
    }

    // MARK: The end

    /// Asks the new program, in its place, for its version. Only a good answer puts it into use.
    private func verify(_ installation: Installation, _ id: String) {
        guard var manifest = store.manifests.first(where: { $0.id == id }) else {
            return finish(installation, id, installation.failure("has lost its provider: the manifest was removed"))
        }
        let placeholders = placeholders(manifest, install: installation.tree)
        // The configuration may name another program: what was installed is what the manifest would take.
        manifest.command = manifest.command.map { placeholders.expand($0) }
            .filter { $0.hasPrefix(installation.tree + "/") }
        guard let executable = executable(of: manifest) else {
            let places = manifest.command.map { $0.dropFirst(installation.tree.utf8.count + 1) }
                .joined(separator: ", ")
            return finish(
                installation, id,
                installation.failure("put no program where the manifest looks for one (\(places))"))
        }
        probe(executable, manifest) { [weak self] probe in
            guard let self else { return }
            if installation.isCancelled { return finish(installation, id, installation.cancellation) }
            if let problem = probe.problem {
                return finish(
                    installation, id, installation.failure("installed a program that can't be used: \(problem)"))
            }
            var description: JSONObject = ["recipe": JSON(installation.recipe.id)]
            description["version"] = probe.version.map { JSON($0) }
            description["installedAt"] = JSON(Timestamp.now.description)
            do throws(SystemError) {
                try InstalledVersions(folder: folder(of: id)).use(installation.tree, description)
                finish(installation, id, nil)
            } catch {
                finish(installation, id, installation.failure("could not be put into use: \(error)"))
            }
        }
    }

    private func finish(_ installation: Installation, _ id: String, _ failure: Failure?) {
        installations[id] = nil
        outcomes[id] = installation.finish(failure)
        // Tells everybody how it ended, with the version that is in use now.
        check(id)
        sweepVersions()
    }

    // MARK: Old trees

    /// Deletes trees that are not in use and that no process runs from.
    package func sweepVersions() {
        for id in ProviderFiles.folders(in: "\(surroundings.hubHome)/providers") {
            let versions = InstalledVersions(folder: folder(of: id))
            for tree in versions.rubbish(except: installations[id]?.tree) where !removing.contains(tree) {
                remove(tree)
            }
        }
    }

    /// By `rm`: a tree can have tens of thousands of files, which the loop must not wait for.
    private func remove(_ tree: String) {
        // Stays in the set when it fails: it would fail again.
        removing.insert(tree)
        let specification = ProcessSpecification(
            executable: "rm", arguments: ["-rf", "--", tree],
            environment: ["PATH": "/usr/bin:/bin", ProviderEnvironment.ownerVariable: surroundings.owner])
        guard let child = try? ChildProcess.spawn(specification, on: loop) else { return }
        child.closeInput()
        child.onExit = { [weak self] status in
            if status == .exited(0) { self?.removing.remove(tree) }
        }
    }
}
