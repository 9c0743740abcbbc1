package import Configuration
import JSON

extension MigrationChain {
    /// What future versions could look like: nothing has been renamed in earnest yet.
    package static let trial = MigrationChain([
        ConfigurationMigration([
            .rename("limits.clients", to: "limits.maxClients"), .remove("log.colour"),
            .rename("providers.*.engine", to: "providers.*.model"),
        ]),
        ConfigurationMigration([
            .convert("lifecycle.idleShutdown") { JSON(($0.doubleValue ?? 0) * 60) }
        ]),
    ])

    /// A file of the first version that all of it concerns.
    package static let trialFile = """
        {
          "//": "mine",
          "schemaVersion": 1,
          "limits": {"clients": 9},
          "log": {"colour": true, "level": "warn"},
          "lifecycle": {"idleShutdown": 2},
          "providers": {"a": {"engine": "m"}, "b": {"model": "new", "engine": "old"}}
        }

        """
}
