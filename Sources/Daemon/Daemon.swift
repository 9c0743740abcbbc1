import API
import Base
import Configuration
import EventLog
import EventLoop
import Glibc
import HubProtocol
import JSON
import Processes
import Providers
import Server
import Sessions
import WebSocket

/// The composition of everything, and its life from start to exit. What each part does is in its module.
final class Daemon: HubContext, CoreControl {
    let log: ServiceLog
    let loop: EventLoop
    let service: SessionService
    let catalogue: Catalogue
    private(set) var hub: StreamHub!
    private(set) var server: HTTPServer!
    private(set) var identity: CoreIdentity
    private let home: Home
    private var configured: Settings
    private var configurationSeen: FileSignature?
    private let instance: SingleInstance
    private let endpoint: EndpointFile
    private let subreaper: Subreaper
    private var handler: APIHandler?
    private var signals: SignalSource?
    private var idleSince: Duration?
    private var isStopping = false
    private var exitCode: Int32 = 0

    init(_ settings: Settings, home: Home, environment: [String: String]) throws(StartError) {
        let started = Timestamp.now
        raiseDescriptorLimit()
        self.home = home
        configured = settings
        instance = try SingleInstance(home)
        endpoint = EndpointFile(path: home.endpoint)
        let token = try TokenFile.load(home.token)
        log = settings.log(in: home)
        let store: LogStore<SessionState>
        do {
            loop = try EventLoop()
            subreaper = try Subreaper.enable(on: loop)
            store = try LogStore<SessionState>(
                directory: home.sessions, backups: home.backups, loop: loop, durability: settings.durability,
                backupsToKeep: settings.configuration.backups.keep)
        } catch {
            throw StartError("\(error)")
        }
        catalogue = Catalogue(
            registry: ProviderRegistry(
                surroundings: settings.surroundings(home, environment), overrides: settings.providers, loop: loop))
        catalogue.defaults = settings.sessionDefaults
        let spending = Spending(
            prices: PriceBook(path: home.prices), archive: UsageArchive(path: home.usage), budget: settings.budget)
        service = SessionService(
            loop: loop, store: store, providers: catalogue, settings: settings.sessions, spending: spending)
        let health = service.health
        catalogue.health = { health.json($0) }
        service.archives = catalogue
        service.auditor = AuditLog(
            path: home.logs + "/audit.log", maxBytes: settings.configuration.log.maxBytes,
            keep: settings.configuration.log.keep)
        identity = CoreIdentity(
            version: Version.current, instanceId: randomUUID(), pid: getpid(), host: settings.host,
            port: settings.port, startedAt: started)
        let log = log
        spending.prices.onProblem = { log.log(.error, "prices can't be used", ["problem": JSON($0)]) }
        spending.archive.onProblem = { log.log(.error, "the record of costs has a problem", ["problem": JSON($0)]) }
        store.onRecovery = { report in log.log(.warn, "a session's log was damaged", report.json) }
        try serve(token: token)
    }

    /// Opens the door. Requests are answered from the loop's first turn on.
    private func serve(token: String) throws(StartError) {
        hub = StreamHub(
            service: service, context: self,
            encoder: BroadcastEncoder(compressionThreshold: configured.configuration.stream.compressMinBytes),
            limits: configured.hub)
        let handler = APIHandler(
            service: service, hub: hub, core: self, providers: catalogue,
            maxClients: configured.configuration.limits.maxClients,
            compresses: configured.configuration.stream.compress)
        self.handler = handler
        let accessGuard = AccessGuard(configured.access(token: token))
        handler.accessGuard = accessGuard
        server = HTTPServer(loop: loop, limits: configured.server, accessGuard: accessGuard, handler: handler)
        do throws(ServerError) {
            for address in try addresses() { identity.port = try server.listen(on: address).port }
            // Browsers share cookies between all ports of a host: two daemons must not take each other's.
            accessGuard.configuration.cookieName = "codeai-hub-\(identity.port)"
        } catch {
            guard error.code == .addressInUse else { throw StartError("\(error)") }
            let holder = PortHolder.describe(host: configured.host, port: configured.port)
            throw StartError(
                "The address \(configured.host):\(configured.port) is taken\(holder). Set server.port, CORE_PORT or --port "
                    + "to another, 0 for any free one.", exitCode: .addressInUse)
        }
        announceProviders()
    }

    /// Clients see at once what becomes of providers.
    private func announceProviders() {
        let registry = catalogue.registry
        let announce = { [weak self] (providerId: String) in
            guard let self, let record = catalogue.record(providerId) else { return }
            hub.broadcast("provider:update", record)
        }
        registry.onChange = announce
        service.health.onChange = announce
        registry.onRemoval = { [weak self] in self?.hub.broadcast("provider:removed", ["id": JSON($0)]) }
        registry.onProgress = { [weak self] providerId, progress in
            var payload: JSONObject = ["providerId": JSON(providerId)]
            for (key, value) in progress.json { payload[key] = value }
            self?.hub.broadcast("provider:progress", payload, isEphemeral: true)
        }
        registry.onProblem = { [weak self] in self?.report($0) }
        registry.isInUse = { [weak self] providerId in
            self?.service.loaded.values.contains { $0.processes.contains { $0.providerId == providerId } } ?? false
        }
        for problem in registry.problems { report(problem) }
        for providerId in service.settings.fallback where registry.manifest(providerId) == nil {
            log.log(.warn, "sessions.fallback names a provider that there isn't", ["providerId": JSON(providerId)])
        }
    }

    private func report(_ problem: ManifestError) {
        log.log(.warn, "a provider's manifest is not usable", problem.json.objectValue ?? [:])
        hub.broadcast("core:notification", ["level": "warn", "message": JSON("\(problem)")])
    }

    private func addresses() throws(ServerError) -> [SocketAddress] {
        if let address = SocketAddress(numericHost: configured.host, port: configured.port) { return [address] }
        do throws(SystemError) {
            guard let first = try SocketAddress.resolve(host: configured.host, port: configured.port).first else {
                throw SystemError(errno: ENOENT, operation: "resolve \(configured.host)")
            }
            return [first]
        } catch {
            throw ServerError(
                .addressNotAvailable, "the host \(configured.host) is no address of this machine", cause: error)
        }
    }

    // MARK: Running

    /// Serves until it is told to stop.
    /// - Returns: the exit code.
    func run() throws(StartError) -> Int32 {
        service.holdProviders()
        service.start()
        service.store.writeIndex(every: .seconds(60))
        do throws(SystemError) {
            signals = try SignalSource([SIGTERM, SIGINT, SIGHUP], loop: loop) { [unowned self] in received($0) }
        } catch {
            throw StartError("\(error)")
        }
        try endpoint.write(identity.json)
        log.log(
            .info, "ready",
            [
                "version": JSON(identity.version), "host": JSON(identity.host), "port": .int(Int64(identity.port)),
                "sessions": JSON(service.count),
            ])
        // Providers' processes of a daemon on this home that died are ended before anything new is started.
        Leftovers.end(owner: home.path, grace: .seconds(1), on: loop) { [self] count in
            if count > 0 { log.log(.warn, "ended processes that an earlier daemon left", ["count": JSON(count)]) }
            service.providersMayStart()
            catalogue.registry.sweepVersions()
            catalogue.registry.checkAll()
            catalogue.registry.startWatching()
        }
        if let wait = configured.idleShutdown { watchIdleness(wait) }
        watchConfiguration()
        loop.run()
        return exitCode
    }

    private func received(_ number: Int32) {
        switch number {
        case SIGINT where isStopping: exitNow(130)
        case SIGINT, SIGTERM: stop(grace: configured.grace, reason: "signal")
        case SIGHUP: readConfiguration()
        default: break
        }
    }

    // MARK: The configuration, while it runs

    /// Reads the file again when it has changed.
    private func watchConfiguration() {
        let signature = FileSignature(configured.path)
        if configurationSeen == nil { configurationSeen = signature }
        // One that is being replaced is there again at the next look.
        if let signature, signature != configurationSeen { readConfiguration() }
        loop.schedule(after: .seconds(2)) { [self] in watchConfiguration() }
    }

    /// What can change at once does; a file that can't be used changes nothing.
    private func readConfiguration() {
        configurationSeen = FileSignature(configured.path)
        do throws(ConfigurationError) {
            let needsRestart = try configured.readAgain()
            service.setBudget(configured.budget)
            catalogue.defaults = configured.sessionDefaults
            catalogue.registry.reload(overrides: configured.providers)
            hub.broadcast("settings:update", settings)
            log.log(.info, "the configuration was read again", ["needsRestart": JSON(needsRestart)])
        } catch {
            log.log(.error, "the configuration can't be used and is left as it was", ["problem": JSON("\(error)")])
        }
    }

    // MARK: Stopping

    func shutDown(graceMs: Int?, by client: String) {
        stop(grace: graceMs.map { .milliseconds($0) } ?? configured.grace, reason: "asked by \(client)")
    }

    /// Stops in order: nothing new is begun, providers end, clients are told, logs are complete.
    private func stop(grace: Duration, reason: String) {
        guard !isStopping else { return }
        isStopping = true
        log.log(.info, "stopping", ["reason": JSON(reason)])
        hub.broadcast("core:shutdown", ["reason": JSON(reason)])
        endpoint.remove()
        catalogue.registry.stopWatching()
        catalogue.registry.endInstallations()
        // Whatever hangs, the daemon ends.
        loop.schedule(after: grace + .seconds(10)) { [self] in exitNow(1) }
        service.stopAll(grace: grace) { [self] in
            hub.closeAll(reason: reason, code: .goingAway)
            server.shutdown(grace: .seconds(2)) { [self] in
                subreaper.killAdopted()
                let isComplete = service.store.stop()
                log.log(isComplete ? .info : .error, "stopped", ["logsComplete": JSON(isComplete)])
                loop.stop()
            }
        }
    }

    private func exitNow(_ code: Int32) {
        endpoint.remove()
        log.log(.warn, "stopped at once", ["code": .int(Int64(code))])
        subreaper.killAll()
        exit(code)
    }

    /// Without clients and without work the daemon ends by itself; the next client starts it again.
    private func watchIdleness(_ wait: Duration) {
        let isIdle = server.connectionCount == 0 && service.isQuiet && !catalogue.registry.isInstalling
        if !isIdle { idleSince = nil } else if idleSince == nil { idleSince = loop.now }
        if let idleSince, loop.now - idleSince >= wait { return stop(grace: configured.grace, reason: "idle") }
        loop.schedule(after: min(.seconds(1), max(wait, .milliseconds(10)))) { [self] in watchIdleness(wait) }
    }

    // MARK: What clients are told

    var core: JSONObject { identity.json }
    var settings: JSONObject { configured.configuration.clientSettings }
    var providers: [JSON] { catalogue.records }

    var children: [ChildUsage] {
        // By process, since sessions may share one.
        var running: [Int32: (providerId: String, sessionIds: [String])] = [:]
        for session in service.loaded.values {
            for process in session.processes {
                running[process.pid, default: (process.providerId, [])].sessionIds.append(session.id)
            }
        }
        guard !running.isEmpty else { return [] }
        let table = ProcessTable.snapshot()
        return running.sorted { $0.key < $1.key }.map { pid, owner in
            ChildUsage(
                pid: pid, providerId: owner.providerId, sessionIds: owner.sessionIds.sorted(),
                residentMemory: table.residentBytes(ofTree: pid), processes: 1 + table.descendants(of: pid).count)
        }
    }

    var residentMemory: Int { residentBytes() }

    var traffic: ServerMetrics { server.metrics }
}

/// This process's resident memory.
private func residentBytes() -> Int {
    guard let bytes = try? readFile("/proc/self/statm", limit: 4096) else { return 0 }
    let fields = String(decoding: bytes, as: UTF8.self).split(separator: " ")
    return fields.count > 1 ? (Int(fields[1]) ?? 0) * Int(getpagesize()) : 0
}

/// As many descriptors as the system lets this user have: each client, log and agent takes some.
private func raiseDescriptorLimit() {
    var limit = rlimit()
    guard getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else { return }
    limit.rlim_cur = limit.rlim_max
    setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
}
