import JSON

extension Setting {
    typealias Path<Value> = any WritableKeyPath<Root, Value> & Sendable

    static func integer(
        _ key: String, _ path: Path<Int>, _ range: ClosedRange<Int>, effect: SettingEffect = .now,
        privileged: Bool = false,
        variable: String? = nil, _ summary: String
    ) -> Setting {
        Setting(
            key: key, form: .integer(range), summary: summary, effect: effect, isPrivileged: privileged,
            variable: variable.map { Variable(name: $0) }, get: { JSON($0[keyPath: path]) },
            set: { $0[keyPath: path] = $1.intValue ?? $0[keyPath: path] })
    }

    static func number(
        _ key: String, _ path: Path<Double>, _ range: ClosedRange<Double>, effect: SettingEffect = .now,
        variable: Variable? = nil, _ summary: String
    ) -> Setting {
        Setting(
            key: key, form: .number(range), summary: summary, effect: effect, isPrivileged: false, variable: variable,
            get: { JSON($0[keyPath: path]) }, set: { $0[keyPath: path] = $1.doubleValue ?? $0[keyPath: path] })
    }

    static func boolean(_ key: String, _ path: Path<Bool>, effect: SettingEffect = .now, _ summary: String) -> Setting {
        Setting(
            key: key, form: .boolean, summary: summary, effect: effect, isPrivileged: false, variable: nil,
            get: { JSON($0[keyPath: path]) }, set: { $0[keyPath: path] = $1.boolValue ?? $0[keyPath: path] })
    }

    static func choice<Choice: RawRepresentable & CaseIterable & Sendable>(
        _ key: String, _ path: Path<Choice>, effect: SettingEffect = .now, privileged: Bool = false,
        variable: String? = nil,
        _ summary: String
    ) -> Setting where Choice.RawValue == String {
        Setting(
            key: key, form: .choice(Choice.allCases.map(\.rawValue)), summary: summary, effect: effect,
            isPrivileged: privileged, variable: variable.map { Variable(name: $0) },
            get: { JSON($0[keyPath: path].rawValue) },
            set: { $0[keyPath: path] = $1.stringValue.flatMap { Choice(rawValue: $0) } ?? $0[keyPath: path] })
    }

    static func text(
        _ key: String, _ path: Path<String>, _ rule: SettingForm.TextRule, effect: SettingEffect = .now,
        privileged: Bool = false, variable: String? = nil, _ summary: String
    ) -> Setting {
        Setting(
            key: key, form: .text(rule), summary: summary, effect: effect, isPrivileged: privileged,
            variable: variable.map { Variable(name: $0) }, get: { JSON($0[keyPath: path]) },
            set: { $0[keyPath: path] = $1.stringValue ?? $0[keyPath: path] })
    }

    static func optionalText(_ key: String, _ path: Path<String?>, privileged: Bool, _ summary: String) -> Setting {
        Setting(
            key: key, form: .text(.nonEmpty), summary: summary, effect: .now, isPrivileged: privileged, variable: nil,
            get: { $0[keyPath: path].map { JSON($0) } }, set: { $0[keyPath: path] = $1.stringValue })
    }

    static func optionalBoolean(_ key: String, _ path: Path<Bool?>, _ summary: String) -> Setting {
        Setting(
            key: key, form: .boolean, summary: summary, effect: .now, isPrivileged: false, variable: nil,
            get: { $0[keyPath: path].map { JSON($0) } }, set: { $0[keyPath: path] = $1.boolValue })
    }

    static func texts(
        _ key: String, _ path: Path<[String]>, _ rule: SettingForm.TextRule, effect: SettingEffect = .now,
        privileged: Bool = true, _ summary: String
    ) -> Setting {
        Setting(
            key: key, form: .texts(rule), summary: summary, effect: effect, isPrivileged: privileged, variable: nil,
            get: { JSON($0[keyPath: path]) },
            set: { $0[keyPath: path] = $1.arrayValue?.compactMap(\.stringValue) ?? [] })
    }
}

/// The one table of all settings: it drives reading, checking, the file written at the first start, the sample and the
/// documentation.
package enum SettingTable {
    /// In the order of the file; keys of one section stand together.
    package static let settings: [Setting<Configuration>] = [
        .text(
            "server.host", \.server.host, .host, effect: .restart, privileged: true, variable: "CORE_HOST",
            "The address to listen on. Anything but loopback is refused unless TLS and a token are configured."),
        .integer(
            "server.port", \.server.port, 0...65535, effect: .restart, privileged: true, variable: "CORE_PORT",
            "The TCP port to listen on; 0 takes any free one, which clients find in core/endpoint.json."),
        .integer(
            "server.maxHeaderBytes", \.server.maxHeaderBytes, 1024...(1 << 20), effect: .newConnections,
            "Bytes of all header lines of a request; beyond it 431. Room for large cookies."),
        .integer(
            "server.maxHeaderCount", \.server.maxHeaderCount, 8...10_000, effect: .newConnections,
            "Header lines of a request; beyond it 431. Browsers send about 20."),
        .integer(
            "server.maxBodyBytes", \.server.maxBodyBytes, 1024...(1 << 30), effect: .newConnections,
            "Bytes of a request's body; beyond it 413. Imported logs have a limit of their own."),
        .number(
            "server.firstByteSeconds", \.server.firstByteSeconds, 0.1...3600,
            "Seconds a new connection has until the first byte of its first request, then it is closed."),
        .number(
            "server.requestSeconds", \.server.requestSeconds, 0.1...3600,
            "Seconds from a request's first byte to its last; beyond it 408. A request sent byte by byte holds nothing."
        ),
        .number(
            "server.idleSeconds", \.server.idleSeconds, 0.1...86_400,
            "Seconds a kept-alive connection may be idle between requests."),

        .integer(
            "stream.snapshotMessages", \.stream.snapshotMessages, 0...10_000,
            "Messages of each session in the first frame of a stream. Clients page back for more."),
        .integer(
            "stream.snapshotBytes", \.stream.snapshotBytes, 64 << 10...(256 << 20),
            "Bytes of the first frame of a stream; the oldest messages are left out to keep within it."),
        .integer(
            "stream.snapshotSessions", \.stream.snapshotSessions, 1...100_000,
            "Sessions, the newest, in the first frame of a stream and in the status, beside those that run, wait or are parked. Clients page through the list for more."
        ),
        .integer(
            "stream.maxMessageBytes", \.stream.maxMessageBytes, 1024...(64 << 20), effect: .newConnections,
            "Bytes of one frame from a client, unpacked; beyond it the connection is closed with 1009."),
        .integer(
            "stream.queueBytes", \.stream.queueBytes, 64 << 10...(1 << 30),
            "Bytes waiting for a slow client: a warning at 75 %, at the limit it is sent away (1013) and can resume."),
        .integer(
            "stream.queueFrames", \.stream.queueFrames, 100...10_000_000,
            "Frames waiting for a slow client, as queueBytes."),
        .number(
            "stream.pingSeconds", \.stream.pingSeconds, 0.1...3600, effect: .newConnections,
            "Seconds between pings to each client. Below the 60 s after which home routers forget a connection."),
        .integer(
            "stream.missedPongs", \.stream.missedPongs, 1...100,
            "Unanswered pings after which a client counts as gone."),
        .boolean(
            "stream.compress", \.stream.compress, effect: .newConnections,
            "Whether permessage-deflate is agreed to when a client offers it."),
        .integer(
            "stream.compressMinBytes", \.stream.compressMinBytes, 0...(1 << 20),
            "Bytes below which a frame is sent uncompressed: small ones grow."),

        .integer(
            "limits.maxClients", \.limits.maxClients, 1...100_000,
            "Clients connected at once; one more is refused with 503 before the upgrade."),
        .integer(
            "limits.maxConcurrent", \.limits.maxConcurrent, 1...1000,
            "Turns running at once, over all sessions; more are queued, in order."),
        .number(
            "limits.installSeconds", \.limits.installSeconds, 1...86_400,
            "Seconds that the installation of a provider may take. Room for half a gigabyte over a slow line."),

        .choice(
            "sessions.durability", \.sessions.durability, effect: .restart,
            "What a published event survives: the death of the daemon (process), or the loss of power too (power), which costs a disk sync before each publication."
        ),
        .number(
            "sessions.unloadAfter", \.sessions.unloadAfter, 1...31_536_000,
            "Seconds after which an idle session leaves memory and its provider's process is ended. It comes back by itself."
        ),
        .number(
            "sessions.stopProviderAfter", \.sessions.stopProviderAfter, 0...31_536_000,
            "Seconds after which an idle session's provider process is ended though the session stays in memory: agents take 50 to 300 MB each. The next message starts it again and resumes. 0: together with the session, as unloadAfter says."
        ),
        .boolean(
            "sessions.resumeAfterQuota", \.sessions.resumeAfterQuota,
            "Whether a turn stopped by a used-up quota goes on by itself, once, when the quota is reset."),
        .texts(
            "sessions.fallback", \.sessions.fallback, .nonEmpty, privileged: false,
            "Providers, by identifier, that try a message in this order when its provider crashed, can't be started, is not installed or logged in, overloaded or out of quota. Empty: this is only offered."
        ),
        .number(
            "sessions.backoffFirst", \.sessions.backoffFirst, 0...3600,
            "Seconds before a provider that crashed is started again in its session; doubled with each crash in a row."),
        .number(
            "sessions.backoffLongest", \.sessions.backoffLongest, 0...86_400,
            "Seconds at most before a provider that crashed is started again."),
        .integer(
            "sessions.circuitFailures", \.sessions.circuitFailures, 1...1_000_000,
            "Crashes and failed starts of a provider in a row, over all sessions, after which no session starts it for circuitSeconds."
        ),
        .number(
            "sessions.circuitSeconds", \.sessions.circuitSeconds, 0.1...86_400,
            "Seconds for which a provider that fails again and again isn't started; then one turn may try."),
        .integer(
            "sessions.maxAttachmentBytes", \.sessions.maxAttachmentBytes, 0...(256 << 20),
            "Bytes of all attachments of a message, in base64. Also bounded by server.maxBodyBytes and stream.maxMessageBytes."
        ),
        .integer(
            "sessions.carriedBytes", \.sessions.carriedBytes, 1024...(64 << 20),
            "Bytes of what a provider is told about the turns that others had; less where its context window is small."
        ),
        .integer(
            "sessions.maxImportBytes", \.sessions.maxImportBytes, 1024...(64 << 30), effect: .newConnections,
            "Bytes of the largest session that is imported, uploaded or found in a provider's folder; beyond it 413. Longer conversations than this are rare."
        ),
        .integer(
            "sessions.maxDraftBytes", \.sessions.maxDraftBytes, 0...(4 << 20),
            "Bytes of the message that somebody writes in a session and has not sent, kept for all clients; beyond it 413. 0: none is kept."
        ),
        .integer(
            "sessions.maxDraftsBytes", \.sessions.maxDraftsBytes, 0...(64 << 20),
            "Bytes of all those messages together; beyond it 413. They lie in memory, and in the first frame of a stream."
        ),
        .text(
            "sessions.defaultWorkspace", \.sessions.defaultWorkspace, .folder,
            "The folder of a session that names none, an absolute path; empty for the home folder."),

        .number(
            "budget.perDayUsd", \.budget.perDayUsd, 0...1_000_000,
            "US dollars that all sessions together may cost in a day (UTC); 0 for no limit. A warning comes at 80 %; at 100 % running turns end, and no other begins unless somebody says so."
        ),
        .number(
            "budget.perSessionUsd", \.budget.perSessionUsd, 0...1_000_000,
            "US dollars that a session may cost in its life, as perDayUsd; 0 for no limit. A session can be given a limit of its own."
        ),

        .boolean(
            "search.enabled", \.search.enabled, effect: .restart,
            "Whether what was said in sessions can be searched, by an index in core/search.sqlite. Switched off, the index is removed at the next start."
        ),
        .integer(
            "search.maxTextBytes", \.search.maxTextBytes, 1024...(1 << 20), effect: .restart,
            "Bytes of a message, from its beginning, that can be found; of a tool call it is 1 KiB at most. What is in the index already stays as it is."
        ),
        .integer(
            "search.timeoutMs", \.search.timeoutMs, 10...60_000,
            "Milliseconds that a search may take; then it answers with what it has found."),

        .number(
            "lifecycle.idleShutdown", \.lifecycle.idleShutdown, 0...31_536_000,
            variable: .init(name: "CORE_SHUTDOWN_GRACE_MS", divisor: 1000),
            "Seconds after the last client left when the daemon ends by itself; 0 for never. Not while a turn runs or waits, nor when a service manager started it. The environment variable gives milliseconds."
        ),
        .integer(
            "lifecycle.graceMs", \.lifecycle.graceMs, 0...600_000,
            "Milliseconds that running turns and providers get to end when the daemon is told to stop."),

        .choice(
            "security.loopback", \.security.loopback, privileged: true,
            "Who may connect from this machine without a token: processes of the same user (same-user), or nobody (token). Asked at each request; streams that stand stay."
        ),
        .texts(
            "security.allowedOrigins", \.security.allowedOrigins, .origin,
            "Origins of web pages that may connect beside the daemon's own and vscode-webview:, such as https://example.com:8443. null and file:// only when listed."
        ),
        .texts(
            "security.allowedHosts", \.security.allowedHosts, .host,
            "Names accepted in the Host header, with the port that is listened on, beside the bound ones; written without port. Each one listed can be used for DNS rebinding by who controls that name."
        ),

        .choice(
            "log.level", \.log.level, variable: "CORE_LOG_LEVEL",
            "The least severe entries that are logged."),
        .integer(
            "log.maxBytes", \.log.maxBytes, 64 << 10...(1 << 30),
            "Bytes after which logs/core.log, and logs/audit.log apart from it, is rotated."),
        .integer(
            "log.maxAgeDays", \.log.maxAgeDays, 1...3650,
            "Days after which a log is rotated however small it is, and a rotated one removed."),
        .integer(
            "log.keep", \.log.keep, 0...1000, "Rotated logs that are kept of each kind, and crash reports."),
        .integer(
            "log.slowTurnMs", \.log.slowTurnMs, 0...600_000,
            "Milliseconds of one turn of the daemon's loop from which on it is logged as slow: everybody waits for it meanwhile. 0: never."
        ),

        .integer(
            "backups.keep", \.backups.keep, 0...10_000,
            "Backups kept of each kind (deleted sessions, migrations, imports); 0 keeps none."),

        .boolean(
            "updates.check", \.updates.check,
            "Whether an installed daemon looks for a new version, at most once a day. It only reads the manifest, and installs nothing by itself."
        ),
        .texts(
            "updates.manifests", \.updates.manifests, .nonEmpty,
            "Addresses of the manifest of releases, tried in this order: https, http on this machine, or file. Empty: the project's own."
        ),
        .texts(
            "updates.keys", \.updates.keys, .path,
            "Files of public keys whose signatures of manifests count, beside the keys inside the program."),
        .integer(
            "updates.keep", \.updates.keep, 0...100,
            "Older versions that stay installed beside the one in use, to roll back to. One that a program still runs from always stays."
        ),
        .integer(
            "updates.firstCheckSeconds", \.updates.firstCheckSeconds, 0...86400, effect: .restart,
            "Seconds from the start until an installed daemon looks for a new version, when the last time was a day ago; up to half as much is added by chance, so that not all ask at once."
        ),
    ]

    /// Below `providers.<id>`; the identifier is free.
    package static let providerSettings: [Setting<Configuration.Provider>] = [
        .optionalBoolean(
            "enabled", \.isEnabled,
            "Whether sessions of this provider can be started; left out for what its manifest says. Clients can enable and disable it, too: the later decision holds."
        ),
        .optionalText(
            "command", \.command, privileged: true,
            "The program, a name looked up in PATH or an absolute path; left out for what the provider's manifest says."
        ),
        Setting(
            key: "arguments", form: .texts(.any),
            summary: "Arguments of the program, in place of those of the manifest.", effect: .now, isPrivileged: true,
            variable: nil, get: { $0.arguments.map { JSON($0) } },
            set: { $0.arguments = $1.arrayValue?.compactMap(\.stringValue) }),
        Setting(
            key: "environment", form: .textMap,
            summary: "Variables added to the provider's environment, which is otherwise built from an allowlist.",
            effect: .now, isPrivileged: true, variable: nil,
            get: { provider in
                .object(
                    JSONObject(
                        members: provider.environment.sorted { $0.key < $1.key }.map { ($0.key, JSON($0.value)) }))
            },
            set: { provider, value in
                provider.environment = [:]
                for (name, text) in value.objectValue ?? [:] { provider.environment[name] = text.stringValue }
            }),
        .optionalText("model", \.model, privileged: false, "The model of a new session that names none."),
        .optionalText(
            "mode", \.mode, privileged: false,
            "The permission mode of a new session that names none; the provider's own names."),
        .optionalText(
            "effort", \.effort, privileged: false,
            "How hard the model thinks in a new session that doesn't say; the provider's own names."),
    ]

    /// One sentence for each section of the file.
    package static let sections: [(name: String, summary: String)] = [
        ("server", "Listening, and the limits of HTTP requests."),
        ("stream", "The WebSocket and what a client is sent."),
        ("limits", "How much at once."),
        ("sessions", "Sessions and their logs."),
        ("budget", "What may be spent."),
        ("search", "Finding what was said."),
        ("lifecycle", "When the daemon ends."),
        ("security", "Who may connect."),
        ("providers", "Agents, by identifier; what is left out is as the provider's manifest says."),
        ("log", "The daemon's own log."),
        ("backups", "What is kept of what was replaced or deleted."),
        ("updates", "New versions of this program."),
    ]
}
