package import Installations
package import JSON

extension ProviderManifest {
    /// Placeholders that may stand anywhere; see doc/providers.md.
    private static let common: Set = ["self", "home", "provider", "install"]
    private static let inRecipes = common.union(["target", "pin"])
    private static let inLogin = common.union(["command"])

    /// Reads and checks a manifest. Members that it doesn't know are errors: a misspelt one would do nothing.
    /// - Parameter core: the version of this core; nil where it doesn't matter.
    package init(_ json: JSON, path: String, core: Installations.Version? = nil) throws(ManifestError) {
        var reader = try ManifestReader(json, path: path, key: "")
        moduleVersion = try reader.version("moduleVersion")
        minimumCore = try reader.version("minimumCore")
        // First of all: a manifest for a later core may have members and adapters that this one doesn't know.
        if let minimumCore, let core, core < minimumCore {
            throw reader.error("minimumCore", "is \(minimumCore), this core is \(core): codeai-hub update")
        }
        id = try reader.required("id", reader.string("id"))
        guard ProviderManifest.isValidIdentifier(id) else {
            throw reader.error("id", "only letters, digits, '.', '_' and '-', at most 64")
        }
        name = try reader.string("name") ?? id
        summary = try reader.string("description") ?? ""
        adapter = try reader.required("adapter", reader.string("adapter"))
        guard ProviderManifest.adapters.contains(adapter) else {
            throw reader.error("adapter", "must be one of \(ProviderManifest.adapters.joined(separator: ", "))")
        }
        command = try reader.templates("command", ProviderManifest.common)
        guard !command.isEmpty else { throw reader.error("command", "names no program") }
        arguments = try reader.templates("arguments", ProviderManifest.common)
        environment = try reader.templateDictionary("environment", ProviderManifest.common)
        passEnvironment = try reader.strings("passEnvironment")
        guard !passEnvironment.contains("*") else {
            throw reader.error("passEnvironment", "a prefix must not be empty")
        }
        isolatedHome = try reader.bool("isolatedHome") ?? false
        capabilities = try reader.object("capabilities") ?? [:]
        for (key, value) in capabilities where value.boolValue == nil {
            throw reader.error("capabilities.\(key)", "must be true or false")
        }
        models = try reader.strings("models")
        modes = try reader.strings("modes")
        isEnabled = try reader.bool("enabled") ?? true
        options = try reader.object("options") ?? [:]
        version = try ProviderManifest.version(reader.part("version"))
        limits = try ProviderManifest.limits(reader.part("limits"))
        authentication = try ProviderManifest.authentication(reader.part("authentication"))
        install = []
        for part in try reader.parts("install") {
            let recipe = try ProviderManifest.recipe(part)
            guard !install.contains(where: { $0.id == recipe.id }) else {
                throw part.error("id", "is the id of an earlier recipe, too")
            }
            install.append(recipe)
        }
        login = nil
        if var part = try reader.part("login") {
            login = Login(
                command: try part.templates("command", ProviderManifest.inLogin), hint: try part.string("hint") ?? "")
            try part.finish()
        }
        try reader.finish()
    }

    private static func version(_ part: ManifestReader?) throws(ManifestError) -> Version? {
        guard var part else { return nil }
        let version = Version(
            arguments: try part.strings("arguments"), minimum: try part.string("minimum"),
            tested: try part.string("tested"))
        try part.finish()
        return version
    }

    private static func limits(_ part: ManifestReader?) throws(ManifestError) -> ProviderLimits {
        var limits = ProviderLimits()
        guard var part else { return limits }
        limits.contextWindow = try part.counts("contextWindow")
        limits.maxPromptBytes = try part.count("maxPromptBytes")
        limits.maxConcurrent = try part.count("maxConcurrent")
        try part.finish()
        return limits
    }

    private static func authentication(_ part: ManifestReader?) throws(ManifestError) -> Authentication? {
        guard var part else { return nil }
        var settings: [Authentication.Setting] = []
        for var setting in try part.parts("settings") {
            settings.append(
                Authentication.Setting(
                    file: try setting.required("file", setting.template("file", common)),
                    key: try setting.required("key", setting.string("key"))))
            try setting.finish()
        }
        let authentication = Authentication(
            files: try part.templates("files", common), environment: try part.strings("environment"),
            settings: settings)
        try part.finish()
        return authentication
    }

    private static func recipe(_ part: ManifestReader) throws(ManifestError) -> Recipe {
        var part = part
        let id = try part.required("id", part.string("id"))
        guard isValidIdentifier(id) else {
            throw part.error("id", "only letters, digits, '.', '_' and '-', at most 64")
        }
        let recipe = Recipe(
            id: id, label: try part.string("label") ?? id, requires: try part.strings("requires"),
            command: try part.templates("command", inRecipes),
            environment: try part.templateDictionary("environment", inRecipes), pin: try part.string("pin"))
        guard !recipe.command.isEmpty else { throw part.error("command", "names no program") }
        try part.finish()
        return recipe
    }

    /// An identifier becomes the name of a folder, so it must not be able to be anything else.
    package static func isValidIdentifier(_ text: String) -> Bool {
        let allowed = text.utf8.allSatisfy { byte in
            switch byte {
            case 0x30...0x39, 0x41...0x5a, 0x61...0x7a, UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: "-"): true
            default: false
            }
        }
        return allowed && (1...64).contains(text.utf8.count) && !text.hasPrefix(".")
    }
}
