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
import Redaction
import Search
import Server
import Sessions
import WebSocket

/// The composition of everything, and its life from start to exit. What each part does is in its module.
final class Daemon: HubContext, CoreControl {
    let log: ServiceLog
    let audit: AuditLog
    let redactor = Redactor()
    let loop: EventLoop
    let service: SessionService
    let catalogue: Catalogue
    private(set) var hub: StreamHub!
    private(set) var server: HTTPServer!
    private(set) var identity: CoreIdentity
    let home: Home
    var configured: Settings
    var configurationSeen: FileSignature?
    let settingsWriter = SettingsWriter()
    let instance: SingleInstance
    let endpoint: EndpointFile
    let subreaper: Subreaper
    /// Nil where it is switched off.
    var search: SearchIndex?
    private(set) var handler: APIHandler!
    var diagnosticsWorker: EventLoop?
    private var signals: SignalSource?
    var idleSince: Duration?
    var isStopping = false
    /// This process's own figures; `vitals` adds those of the kernel.
    var ownVitals = CoreVitals()
    var marker: LifeMarker?
    var slowTurnTimer: LoopTimer?
    var slowTurnsTold = 0
    var slowestTurn = 0
    /// Installations whose beginning was logged.
    var installing: Set<String> = []
    /// Set from the moment in which a restart is certain: the end of this daemon is the beginning of that program.
    var successor: Successor?
    /// Those who asked for a restart whose program is being tried.
    var restartAnswers: [(Result<JSONObject, Failure>) -> Void] = []
    let launch: Launch
    /// Nil where no service manager wants to hear anything.
    private(set) var notifier: ServiceNotifier?
    /// Nil where no installed release runs.
    var updates: UpdateCheck?
    /// The file from which this program was started.
    let program = ownProgram()
    /// Listening sockets that a service manager opened.
    private(set) var activated: Set<Int32> = []
    private var exitCode: Int32 = 0

    /// How this process was started.
    struct Launch {
        /// Without the program's name.
        var arguments: [String]
        var environment: [String: String]
        var inheritance: Inheritance
        /// Who wants to hear how the daemon is; nil: nobody.
        var manager: ServiceManager?

        /// Whether a service manager looks after this daemon, so that it doesn't end for want of clients. systemd names
        /// the process that it has started itself; for launchd the definition says it.
        var isService: Bool {
            !inheritance.activated.isEmpty || environment["SYSTEMD_EXEC_PID"].flatMap(Int32.init) == getpid()
                || environment["CODEAI_HUB_SERVICE"] == "1"
        }
    }

    init(_ settings: Settings, home: Home, _ launch: Launch) throws(StartError) {
        let started = Timestamp.now
        raiseDescriptorLimit()
        self.home = home
        self.launch = launch
        configured = settings
        instance = try SingleInstance(home, inherited: launch.inheritance.lock)
        endpoint = EndpointFile(path: home.endpoint)
        let token = try TokenFile.load(home.token)
        Daemon.collectSecrets(redactor, token: token, settings: settings, environment: launch.environment)
        log = settings.log(in: home, redactor)
        audit = AuditLog(path: home.logs + "/audit.log", rules: settings.logRules, redactor: redactor)
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
                surroundings: settings.surroundings(home, launch.environment, redactor), overrides: settings.providers,
                loop: loop))
        catalogue.defaults = settings.sessionDefaults
        let spending = Spending(
            prices: PriceBook(path: home.prices), archive: UsageArchive(path: home.usage), budget: settings.budget)
        service = SessionService(
            loop: loop, store: store, providers: catalogue, settings: settings.sessions, spending: spending,
            draftFolder: home.drafts)
        let health = service.health
        catalogue.health = { health.json($0) }
        service.archives = catalogue
        service.auditor = audit
        service.redactor = redactor
        identity = CoreIdentity(
            version: Version.current, instanceId: randomUUID(), pid: getpid(), host: settings.host,
            port: settings.port, startedAt: started)
        let log = log
        spending.prices.onProblem = { log.log(.error, "prices can't be used", ["problem": JSON($0)]) }
        spending.archive.onProblem = { log.log(.error, "the record of costs has a problem", ["problem": JSON($0)]) }
        service.drafts.onProblem = { log.log(.error, "drafts can't be kept", ["problem": JSON($0)]) }
        store.onRecovery = { report in log.log(.warn, "a session's log was damaged", report.json) }
        try serve(token: token)
    }

    /// Opens the door. Requests are answered from the loop's first turn on.
    private func serve(token: String) throws(StartError) {
        hub = StreamHub(
            service: service, context: self,
            encoder: BroadcastEncoder(compressionThreshold: configured.configuration.stream.compressMinBytes),
            limits: configured.hub)
        handler = APIHandler(
            service: service, hub: hub, core: self, providers: catalogue,
            maxClients: configured.configuration.limits.maxClients,
            compresses: configured.configuration.stream.compress)
        let accessGuard = AccessGuard(configured.access(token: Array(token.utf8), port: configured.port))
        handler.accessGuard = accessGuard
        server = HTTPServer(loop: loop, limits: configured.server, accessGuard: accessGuard, handler: handler)
        do throws(ServerError) {
            try listen()
            accessGuard.configuration = configured.access(token: Array(token.utf8), port: identity.port)
        } catch {
            guard error.code == .addressInUse else { throw StartError("\(error)") }
            // Asking a service manager's socket would start another daemon.
            let holder =
                access(home.service, F_OK) == 0
                ? ": a service manager may hold it for this home, and starts the daemon when somebody connects"
                : PortHolder.describe(host: configured.host, port: configured.port)
            throw StartError(
                "The address \(configured.host):\(configured.port) is taken\(holder). Set server.port, CORE_PORT or --port "
                    + "to another, 0 for any free one.", exitCode: .addressInUse)
        }
        for connection in launch.inheritance.connections { server.adopt(connection: connection) }
        announceProviders()
        keepJournal()
    }

    /// Where a service manager listens for us, else where the daemon before did, else where the configuration says.
    private func listen() throws(ServerError) {
        let inheritance = launch.inheritance
        for fd in inheritance.activated {
            note(try server.adopt(listening: fd))
            activated.insert(fd)
        }
        guard inheritance.activated.isEmpty else { return }
        let wanted = try address()
        var kept = inheritance.listening.first { fd in
            guard var address = Socket.localAddress(of: fd) else { return false }
            // With port 0 the port that was found once stays.
            if wanted.port == 0 { address.port = 0 }
            return address == wanted
        }
        do throws(ServerError) {
            if let kept { note(try server.adopt(listening: kept)) } else { note(try server.listen(on: wanted)) }
        } catch {
            // The configuration names another address now. When that can't be had, the old one is better than none.
            kept = inheritance.listening.first
            guard let kept else { throw error }
            note(try server.adopt(listening: kept))
            log.log(.error, "the address is not changed", ["problem": JSON("\(error)")])
        }
        for fd in inheritance.listening where fd != kept { close(fd) }
    }

    private func note(_ address: SocketAddress) {
        identity.port = address.port
        if !launch.inheritance.activated.isEmpty { identity.host = address.host }
    }

    private func address() throws(ServerError) -> SocketAddress {
        if let address = SocketAddress(numericHost: configured.host, port: configured.port) { return address }
        do throws(SystemError) {
            guard let first = try SocketAddress.resolve(host: configured.host, port: configured.port).first else {
                throw SystemError(errno: ENOENT, operation: "resolve \(configured.host)")
            }
            return first
        } catch {
            throw ServerError(
                .addressNotAvailable, "the host \(configured.host) is no address of this machine", cause: error)
        }
    }

    // MARK: Running

    /// Serves until it is told to stop.
    /// - Returns: the exit code.
    func run() throws(StartError) -> Int32 {
        beginLife()
        service.holdProviders()
        service.start(continuing: launch.inheritance.hasPredecessor)
        startSearch()
        service.store.writeIndex(every: .seconds(60))
        service.store.watchFiles(every: .seconds(5))
        do throws(SystemError) {
            signals = try SignalSource([SIGTERM, SIGINT, SIGHUP], loop: loop) { [unowned self] in received($0) }
        } catch {
            throw StartError("\(error)")
        }
        try endpoint.write(identity.json)
        log.log(
            .info, "ready",
            [
                "version": JSON(identity.version), "instanceId": JSON(identity.instanceId),
                "pid": .int(Int64(identity.pid)), "configuration": JSON(configured.path), "host": JSON(identity.host),
                "port": .int(Int64(identity.port)),
                "sessions": JSON(service.count), "restarted": JSON(launch.inheritance.hasPredecessor),
                "keptConnections": JSON(server.connectionCount),
            ])
        // Providers' processes of a daemon on this home that died are ended before anything new is started.
        Leftovers.end(owner: home.path, grace: .seconds(1), on: loop) { [self] count in
            if count > 0 { log.log(.warn, "ended processes that an earlier daemon left", ["count": JSON(count)]) }
            service.providersMayStart()
            catalogue.registry.sweepVersions()
            catalogue.registry.checkAll()
            catalogue.registry.startWatching()
        }
        if let backup = configured.backup {
            log.log(.info, "the configuration was of an older version and was rewritten", ["backup": JSON(backup)])
        }
        watchIdleness()
        watchConfiguration()
        watchTrial()
        watchUpdates()
        notifier = launch.manager.map { manager in
            ServiceNotifier(manager, loop: loop) { [unowned self] in summary }
        }
        // In the loop's first turn: then it serves.
        loop.schedule(after: .zero) { [self] in if !isStopping { notifier?.serves() } }
        loop.run()
        // Ended because somebody wanted it.
        OwnTrial.takeBack()
        if let successor { goOn(with: successor) }
        return exitCode
    }

    private func received(_ number: Int32) {
        switch number {
        case SIGINT where isStopping && successor == nil: exitNow(130)
        case SIGINT, SIGTERM: stop(grace: configured.grace, reason: "signal")
        case SIGHUP: readConfiguration()
        default: break
        }
    }
}

/// As many descriptors as the system lets this user have: each client, log and agent takes some.
private func raiseDescriptorLimit() {
    var limit = rlimit()
    guard getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else { return }
    limit.rlim_cur = limit.rlim_max
    setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
}
