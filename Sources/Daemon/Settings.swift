import API
import Base
import CLinux
import Configuration
import EventLog
import EventLoop
import Glibc
import HTTP1
import HubProtocol
import JSON
import Providers
import Redaction
import Search
import Server
import Sessions
import WebSocket

/// The configuration in the terms of the parts that the daemon is composed of.
struct Settings {
    /// What is in force.
    private(set) var configuration: Configuration
    /// The file that it was read from.
    let path: String
    /// Keys that a flag or the environment sets, with what does.
    private(set) var overridden: [String: String]
    /// Keys whose value in the file waits for the next start.
    private(set) var needsRestart: [String] = []
    /// Why the file, as it is now, is not the one in force.
    private(set) var problems: [ConfigurationError.Problem] = []
    /// The copy of an older version's file that was rewritten when it was read.
    private(set) var backup: String?
    private let backups: String
    private let environment: [String: String]
    private let flags: [String: String]

    /// Reads flags, environment and file.
    static func load(
        _ arguments: Arguments, home: Home, environment: [String: String]
    ) throws(StartError) -> Settings {
        var flags: [String: String] = [:]
        flags["server.host"] = arguments.host
        flags["server.port"] = arguments.port
        let path = arguments.configurationPath ?? home.configuration
        do throws(ConfigurationError) {
            // Only looked at, it is left as it is.
            let backups = arguments.action == .run ? home.backups : nil
            let loaded = try Configuration.load(
                path: path, environment: environment, flags: flags,
                createsMissing: arguments.configurationPath == nil, backups: backups)
            return Settings(
                configuration: loaded.configuration, path: path, overridden: loaded.overridden,
                backup: loaded.backup, backups: home.backups, environment: environment, flags: flags)
        } catch {
            throw StartError("The configuration is not usable:\n\(error)", exitCode: .configuration)
        }
    }

    var host: String { configuration.server.host }
    var port: UInt16 { UInt16(clamping: configuration.server.port) }

    var server: ServerLimits {
        var limits = ServerLimits()
        limits.http.headerBytes = configuration.server.maxHeaderBytes
        limits.http.headerCount = configuration.server.maxHeaderCount
        limits.http.bodyBytes = configuration.server.maxBodyBytes
        limits.http.uploadPath = Array(APIHandler.uploadPath.utf8)
        limits.http.uploadBytes = configuration.sessions.maxImportBytes
        limits.webSocket.frameBytes = configuration.stream.maxMessageBytes
        limits.webSocket.messageBytes = configuration.stream.maxMessageBytes
        // Beside the clients' streams there is room for the requests that they and others make.
        limits.connections = configuration.limits.maxClients * 2 + 1024
        limits.headerTime = .seconds(configuration.server.firstByteSeconds)
        limits.bodyTime = .seconds(configuration.server.requestSeconds)
        limits.idleTime = .seconds(configuration.server.idleSeconds)
        limits.pingInterval = .seconds(configuration.stream.pingSeconds)
        limits.missedPongs = configuration.stream.missedPongs
        limits.queuedBytes = configuration.stream.queueBytes
        limits.queuedFrames = configuration.stream.queueFrames
        limits.compressionThreshold = configuration.stream.compressMinBytes
        return limits
    }

    var hub: StreamHub.Limits {
        var limits = StreamHub.Limits()
        limits.snapshotBytes = configuration.stream.snapshotBytes
        limits.snapshotSessions = configuration.stream.snapshotSessions
        return limits
    }

    var search: SearchSettings {
        var settings = SearchSettings()
        settings.textBytes = configuration.search.maxTextBytes
        settings.timeLimit = configuration.search.timeoutMs
        return settings
    }

    /// - Parameter port: that is listened on.
    func access(token: [UInt8]?, port: UInt16) -> AccessGuard.Configuration {
        var access = AccessGuard.Configuration()
        access.loopback = configuration.security.loopback == .sameUser ? .sameUser : .token
        access.token = token
        access.allowedOrigins = configuration.security.allowedOrigins
        access.extraHosts = configuration.security.allowedHosts.map { "\($0):\(port)" }
        // Browsers share cookies between all ports of a host: two daemons must not take each other's.
        access.cookieName = "codeai-hub-\(port)"
        // Whoever comes with a ticket has nothing else to show yet: the ticket is the proof.
        access.openPaths = APIHandler.webPaths.union(["/api/v1/auth/session"])
        // In an editor's webview; its policy says which pages may show it.
        access.framePaths = ["/"]
        return access
    }

    var sessions: SessionSettings {
        var settings = SessionSettings()
        settings.snapshotMessages = configuration.stream.snapshotMessages
        settings.snapshotBytes = configuration.stream.snapshotBytes
        settings.maxMessageBytes = configuration.stream.maxMessageBytes
        settings.maxAttachmentBytes = configuration.sessions.maxAttachmentBytes
        settings.carriedBytes = configuration.sessions.carriedBytes
        settings.maxImportBytes = configuration.sessions.maxImportBytes
        settings.drafts.bytes = configuration.sessions.maxDraftBytes
        settings.drafts.totalBytes = configuration.sessions.maxDraftsBytes
        settings.unloadAfter = configuration.sessions.unloadAfter
        settings.stopProviderAfter = configuration.sessions.stopProviderAfter
        settings.resumeAfterQuota = configuration.sessions.resumeAfterQuota
        settings.fallback = configuration.sessions.fallback.map(ProviderID.resolve)
        settings.rest.firstWait = .seconds(configuration.sessions.backoffFirst)
        settings.rest.longestWait = .seconds(configuration.sessions.backoffLongest)
        settings.rest.circuitFailures = configuration.sessions.circuitFailures
        settings.rest.circuitTime = .seconds(configuration.sessions.circuitSeconds)
        settings.maxConcurrent = configuration.limits.maxConcurrent
        if !configuration.sessions.defaultWorkspace.isEmpty {
            settings.defaultWorkspace = configuration.sessions.defaultWorkspace
        }
        return settings
    }

    var budget: Budget {
        func limit(_ usd: Double) -> Money? { usd > 0 ? Money(usd: usd) : nil }
        return Budget(
            perDay: limit(configuration.budget.perDayUsd), perSession: limit(configuration.budget.perSessionUsd))
    }

    /// Reads the file again, checks it whole, and takes over what can change while the daemon runs.
    /// - Returns: what has changed.
    /// - Throws: everything wrong with it; nothing has changed then, and `problems` says so.
    mutating func readAgain() throws(ConfigurationError) -> Configuration.Changes {
        do throws(ConfigurationError) {
            let new = try Configuration.load(
                path: path, environment: environment, flags: flags, createsMissing: false, backups: backups)
            problems = []
            overridden = new.overridden
            backup = new.backup
            let changes = configuration.adoptLive(from: new.configuration)
            needsRestart = changes.waiting
            return changes
        } catch {
            problems = error.problems
            throw error
        }
    }

    /// The file, and where one of an older version is kept.
    var file: (file: ConfigurationFile, backups: String) { (ConfigurationFile(path), backups) }

    /// What clients may see: the settings, what waits for a restart, what is overridden and by what.
    var forClients: JSONObject {
        var object = configuration.clientSettings
        object["needsRestart"] = JSON(needsRestart)
        object["overridden"] = .object(overriddenJSON)
        return object
    }

    /// How the file is.
    var report: JSONObject {
        [
            "path": JSON(path), "problems": .array(problems.map(\.json)), "needsRestart": JSON(needsRestart),
            "overridden": .object(overriddenJSON),
        ]
    }

    private var overriddenJSON: JSONObject {
        JSONObject(members: overridden.sorted { $0.key < $1.key }.map { ($0.key, JSON($0.value)) })
    }

    var durability: Durability { configuration.sessions.durability == .power ? .power : .process }

    /// How long an idle daemon that clients have started waits for another before it ends; nil: it doesn't end.
    var idleShutdown: Duration? {
        let seconds = configuration.lifecycle.idleShutdown
        return seconds > 0 ? .seconds(seconds) : nil
    }

    /// How long turns get when the daemon is told to stop.
    var grace: Duration { .milliseconds(configuration.lifecycle.graceMs) }

    /// By the names that providers really have; `claude` is one of those that are accepted for them.
    private var namedProviders: [String: Configuration.Provider] {
        var named: [String: Configuration.Provider] = [:]
        for (id, provider) in configuration.providers {
            let name = ProviderID.resolve(id)
            // Where both are there, the real name counts.
            if name == id || configuration.providers[name] == nil { named[name] = provider }
        }
        return named
    }

    var providers: [String: ProviderOverride] {
        namedProviders.mapValues { provider in
            ProviderOverride(
                enabled: provider.isEnabled, command: provider.command, arguments: provider.arguments,
                environment: provider.environment)
        }
    }

    /// What a new session of each provider is set to.
    var sessionDefaults: [String: SessionState.Choice] {
        namedProviders.mapValues { SessionState.Choice(model: $0.model, mode: $0.mode, effort: $0.effort) }
    }

    func surroundings(
        _ home: Home, _ environment: [String: String], _ redactor: Redactor
    ) -> ProviderRegistry.Surroundings {
        var surroundings = ProviderRegistry.Surroundings(
            hubHome: home.path, program: ownProgram(), environment: environment, owner: home.path)
        surroundings.installSeconds = configuration.limits.installSeconds
        surroundings.redactor = redactor
        surroundings.coreVersion = Version.current
        return surroundings
    }

    var logLevel: ServiceLog.Level { ServiceLog.Level(configuration.log.level.rawValue) ?? .info }

    var logRules: RotatingFile.Rules {
        RotatingFile.Rules(
            maxBytes: configuration.log.maxBytes, maxAgeDays: configuration.log.maxAgeDays, keep: configuration.log.keep
        )
    }

    func log(in home: Home, _ redactor: Redactor) -> ServiceLog {
        // On a terminal, a pipe or a service manager's socket somebody listens; a file would only be a second copy.
        var information = stat()
        let isFile = fstat(STDERR_FILENO, &information) == 0 && information.st_mode & S_IFMT == S_IFREG
        return ServiceLog(
            path: home.logs + "/core.log", level: logLevel, rules: logRules, redactor: redactor,
            stderr: isFile ? .nobody : ServiceLog.isJournal(environment["JOURNAL_STREAM"]) ? .journal : .person)
    }
}

extension ConfigurationError.Problem {
    /// `{source, line?, key?, reason}`.
    var json: JSON {
        var object: JSONObject = ["source": JSON(source)]
        object["line"] = line.map { JSON($0) }
        if !key.isEmpty { object["key"] = JSON(key) }
        object["reason"] = JSON(reason)
        return .object(object)
    }
}

/// The daemon's own program, for providers that are part of it: the file on disk, also when that has been replaced.
func ownProgram() -> String {
    var buffer = [UInt8](repeating: 0, count: 4096)
    let count = buffer.withUnsafeMutableBytes {
        readlink("/proc/self/exe", $0.baseAddress!.assumingMemoryBound(to: CChar.self), $0.count)
    }
    guard count > 0 else { return CommandLine.arguments[0] }
    let path = String(decoding: buffer[..<count], as: UTF8.self)
    let mark = " (deleted)"
    return path.hasSuffix(mark) ? String(path.dropLast(mark.count)) : path
}
