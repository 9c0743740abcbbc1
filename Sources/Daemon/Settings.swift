import API
import EventLog
import EventLoop
import JSON
import Providers
import Server
import Sessions

/// What the daemon is composed with: the configuration, in the terms of the parts.
struct Settings {
    var host = "127.0.0.1"
    var port: UInt16 = 8080
    var server = ServerLimits()
    var hub = StreamHub.Limits()
    var access = AccessGuard.Configuration()
    var sessions = SessionSettings()
    var durability = Durability.process
    var maxClients = 64
    var compresses = true
    /// How long an idle daemon waits for a client before it ends; nil: it doesn't end.
    var idleShutdown: Duration? = .seconds(60)
    /// How long turns and connections get when the daemon is told to stop.
    var grace: Duration = .seconds(5)
    var logLevel = ServiceLog.Level.info
    var logMaxBytes = 10 << 20
    var logKeep = 5
    var backupsKept = 10
    var providers: [String: ProviderOverride] = [:]
}

extension Settings {
    static func load(_ arguments: Arguments, home: Home, environment: [String: String]) throws(StartError) -> (
        Settings, JSONObject
    ) {
        var s = Settings()
        s.host = arguments.host ?? environment["CORE_HOST"] ?? s.host
        s.port = UInt16(arguments.port ?? environment["CORE_PORT"] ?? "8080")!
        return (s, [:])
    }
}
