/// Every setting of the daemon. The values here are the defaults; names, ranges and meaning are in `SettingTable`.
package struct Configuration: Equatable, Sendable {
    /// The version of the file's format that this version writes and reads.
    package static let schemaVersion = MigrationChain.current.version

    package struct Server: Equatable, Sendable {
        package var host = "127.0.0.1"
        package var port = 8080
        package var maxHeaderBytes = 32 << 10
        package var maxHeaderCount = 100
        package var maxBodyBytes = 8 << 20
        package var firstByteSeconds = 10.0
        package var requestSeconds = 30.0
        package var idleSeconds = 75.0
    }

    package struct Stream: Equatable, Sendable {
        package var snapshotMessages = 50
        package var snapshotBytes = 1 << 20
        package var snapshotSessions = 100
        package var maxMessageBytes = 1 << 20
        package var queueBytes = 8 << 20
        package var queueFrames = 20_000
        package var pingSeconds = 20.0
        package var missedPongs = 2
        package var compress = true
        package var compressMinBytes = 512
    }

    package struct Limits: Equatable, Sendable {
        package var maxClients = 64
        package var maxConcurrent = 10
        package var installSeconds = 1800.0
    }

    package struct Sessions: Equatable, Sendable {
        /// What a published event survives: see `EventLog.Durability`, whose names these are.
        package enum Durability: String, CaseIterable, Sendable { case process, power }

        package var durability = Durability.process
        package var unloadAfter = 3600.0
        package var stopProviderAfter = 600.0
        package var resumeAfterQuota = false
        package var fallback: [String] = []
        package var backoffFirst = 1.0
        package var backoffLongest = 60.0
        package var circuitFailures = 5
        package var circuitSeconds = 300.0
        package var maxAttachmentBytes = 5 << 20
        package var carriedBytes = 400 << 10
        package var maxImportBytes = 256 << 20
        package var maxDraftBytes = 64 << 10
        package var maxDraftsBytes = 2 << 20
        /// Empty for the home folder of the person.
        package var defaultWorkspace = ""
    }

    /// What may be spent, in USD; 0 for no limit.
    package struct Budget: Equatable, Sendable {
        package var perDayUsd = 0.0
        package var perSessionUsd = 0.0
    }

    package struct Search: Equatable, Sendable {
        package var enabled = true
        package var maxTextBytes = 64 << 10
        package var timeoutMs = 1000
    }

    package struct Lifecycle: Equatable, Sendable {
        /// Seconds; 0 for never.
        package var idleShutdown = 60.0
        package var graceMs = 5000
    }

    package struct Security: Equatable, Sendable {
        package enum Loopback: String, CaseIterable, Sendable {
            case sameUser = "same-user"
            case token
        }

        package var loopback = Loopback.sameUser
        package var allowedOrigins: [String] = []
        package var allowedHosts: [String] = []
    }

    /// What the person says about a provider; what is nil is as its manifest says.
    package struct Provider: Equatable, Sendable {
        package var isEnabled: Bool?
        package var command: String?
        package var arguments: [String]?
        /// Added to what the provider's environment is built from.
        package var environment: [String: String] = [:]
        package var model: String?
        package var mode: String?
        package var effort: String?

        package init() {}
    }

    package struct Log: Equatable, Sendable {
        package enum Level: String, CaseIterable, Sendable { case debug, info, warn, error }

        package var level = Level.info
        package var maxBytes = 10 << 20
        package var maxAgeDays = 14
        package var keep = 5
        package var slowTurnMs = 250
    }

    package struct Backups: Equatable, Sendable {
        package var keep = 10
    }

    package struct Updates: Equatable, Sendable {
        package var check = true
        /// Mirrors of the manifest of releases; none: the project's own.
        package var manifests: [String] = []
        /// Files of public keys that are trusted beside those inside the program.
        package var keys: [String] = []
        package var keep = 2
        /// Seconds from a start until an installed daemon looks for the first time.
        package var firstCheckSeconds = 600
    }

    package var server = Server()
    package var stream = Stream()
    package var limits = Limits()
    package var sessions = Sessions()
    package var budget = Budget()
    package var search = Search()
    package var lifecycle = Lifecycle()
    package var security = Security()
    /// By provider identifier.
    package var providers: [String: Provider] = [:]
    package var log = Log()
    package var backups = Backups()
    package var updates = Updates()

    package init() {}
}
