import EventLoop

/// Notices what others change on disk: manifests, logins, programs.
///
/// By looking rather than by inotify: some forty files in folders that may not exist yet, may be links, and may lie on
/// a network, are looked at in a tenth of a millisecond, and nothing can be missed by it.
extension ProviderRegistry {
    package static let watchInterval = Duration.seconds(1)
    /// Programs are looked for in all of PATH: every so many times only.
    private static let sweepsPerProgram = 5

    /// How things were when they were looked at last.
    struct Watched {
        var login: [FileStamp?]
        var isAuthenticated: Bool
        var executable: String?
        var program: FileStamp?
    }

    /// Goes on until `stopWatching`.
    package func startWatching() { scheduleSweep(0) }

    package func stopWatching() {
        sweep?.cancel()
        sweep = nil
    }

    private func scheduleSweep(_ number: Int) {
        sweep = loop.schedule(after: ProviderRegistry.watchInterval) { [weak self] in
            self?.look(alsoAtPrograms: number % ProviderRegistry.sweepsPerProgram == 0)
            self?.scheduleSweep(number + 1)
        }
    }

    /// Looks once.
    package func look(alsoAtPrograms: Bool = true) {
        reload()
        for manifest in manifests {
            guard let before = watched[manifest.id] else {
                watched[manifest.id] = watch(manifest)
                continue
            }
            lookAtLogin(manifest, before)
            if alsoAtPrograms { lookAtProgram(manifest, before) }
        }
        if alsoAtPrograms { sweepVersions() }
    }

    func watch(_ manifest: ProviderManifest) -> Watched {
        let executable = executable(of: manifest)
        return Watched(
            login: loginStamps(manifest), isAuthenticated: isAuthenticated(manifest.id), executable: executable,
            program: executable.flatMap { FileStamp($0) })
    }

    private func loginStamps(_ manifest: ProviderManifest) -> [FileStamp?] {
        guard let authentication = manifest.authentication else { return [] }
        let placeholders = placeholders(manifest)
        return (authentication.files + authentication.settings.map(\.file)).map { FileStamp(placeholders.expand($0)) }
    }

    private func lookAtLogin(_ manifest: ProviderManifest, _ before: Watched) {
        let stamps = loginStamps(manifest)
        guard stamps != before.login else { return }
        let isAuthenticated = isAuthenticated(manifest.id)
        watched[manifest.id]?.login = stamps
        watched[manifest.id]?.isAuthenticated = isAuthenticated
        if isAuthenticated != before.isAuthenticated { onChange(manifest.id) }
    }

    private func lookAtProgram(_ manifest: ProviderManifest, _ before: Watched) {
        let executable = executable(of: manifest)
        let program = executable.flatMap { FileStamp($0) }
        guard executable != before.executable || program != before.program else { return }
        // Another program, another version; `check` takes note of what it looked at.
        check(manifest.id)
    }
}
