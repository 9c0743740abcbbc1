// swift-tools-version: 6.2
import PackageDescription

// What belongs in each module, and in which direction they may depend on one another: doc/modules.md.

let package = Package(
    name: "codeai-hub-core",
    platforms: [.macOS(.v15)],
    products: [
        .executable(name: "codeai-hub-core", targets: ["codeai-hub-core"]),
        .executable(name: "codeai-hub", targets: ["codeai-hub"]),
        .executable(name: "codeai-hub-release", targets: ["codeai-hub-release"]),
        .library(name: "CodeAIHubClient", targets: ["Client"]),
        // For the packages in Benchmarks/ and Fuzz/, which reach below the client library.
        .library(
            name: "CoreInternals",
            targets: [
                "Archives", "Base", "JSON", "EventLoop", "HTTP1", "WebSocket", "HubProtocol", "ACPMessages", "EventLog",
                "API", "Server",
                "ProviderClaude", "ProviderCodex", "ProviderACP", "Providers", "Search", "Sessions",
                "Configuration", "Digests", "Downloads", "Signatures",
            ]),
    ],
    targets: [
        // System
        .target(name: "CLinux"),
        .target(name: "CAssets"),
        .target(name: "CVersion"),
        .systemLibrary(name: "COpenSSL", pkgConfig: "openssl", providers: [.apt(["libssl-dev"])]),
        .systemLibrary(name: "CZlib", pkgConfig: "zlib", providers: [.apt(["zlib1g-dev"])]),
        .systemLibrary(name: "CBzip2", providers: [.apt(["libbz2-dev"])]),
        .systemLibrary(name: "CSQLite", pkgConfig: "sqlite3", providers: [.apt(["libsqlite3-dev"])]),

        // Foundations
        .target(name: "Base", dependencies: ["CLinux"]),
        .target(name: "JSON", dependencies: ["Base"]),
        .target(name: "EventLoop", dependencies: ["Base", "CLinux"]),
        .target(name: "Processes", dependencies: ["Base", "CLinux", "EventLoop"]),

        // Pure codecs
        .target(name: "HTTP1", dependencies: ["Base", "CZlib"]),
        .target(name: "WebSocket", dependencies: ["Base", "CZlib", "Digests"]),
        .target(name: "HubProtocol", dependencies: ["Base", "JSON"]),
        .target(name: "ACPMessages", dependencies: ["JSON"]),
        .target(name: "Digests", dependencies: ["COpenSSL"]),
        .target(name: "Redaction", dependencies: ["Base", "JSON"]),

        .target(name: "Signatures", dependencies: ["Base", "COpenSSL"]),
        .target(name: "Archives", dependencies: ["CBzip2"]),

        // Services
        .target(name: "Configuration", dependencies: ["Base", "JSON"]),
        .target(name: "EventLog", dependencies: ["Base", "JSON", "HubProtocol", "EventLoop"]),
        .target(
            name: "Search", dependencies: ["Base", "CSQLite", "JSON", "HubProtocol", "EventLoop", "EventLog"]),
        .target(
            name: "Providers",
            dependencies: [
                "Base", "Digests", "JSON", "HubProtocol", "EventLoop", "Installations", "Processes", "Redaction",
            ],
            // Links into assets, since a resource must lie within its target.
            resources: [
                .embedInCode("Manifests/claudeCodeCli.json"), .embedInCode("Manifests/codexCli.json"),
                .embedInCode("Manifests/geminiCli.json"), .embedInCode("Manifests/echo.json"),
                .embedInCode("Prices/prices.json"),
            ]),
        .target(
            name: "ProviderClaude",
            dependencies: ["Base", "JSON", "HubProtocol", "EventLoop", "Processes", "Providers"]),
        .target(
            name: "ProviderCodex",
            dependencies: ["Base", "JSON", "HubProtocol", "EventLoop", "Processes", "Providers"]),
        .target(
            name: "ProviderACP",
            dependencies: [
                "ACPMessages", "Base", "CLinux", "JSON", "HubProtocol", "EventLoop", "Processes", "Providers",
            ]),
        .target(name: "EchoAgent", dependencies: ["Base", "JSON"]),
        .target(
            name: "Sessions",
            dependencies: [
                "Base", "JSON", "Digests", "HubProtocol", "EventLoop", "EventLog", "Processes", "Providers",
                "Redaction",
            ]),

        .target(
            name: "Installations", dependencies: ["Archives", "Base", "CLinux", "Digests", "JSON"]),
        .target(name: "Backups", dependencies: ["Archives", "Base", "CLinux", "Digests", "JSON"]),

        .target(name: "Downloads", dependencies: ["Base", "CLinux", "COpenSSL", "Digests", "HTTP1"]),
        .target(
            name: "Releases",
            dependencies: ["Base", "Digests", "Downloads", "Installations", "JSON", "Signatures"],
            // A link into assets, since a resource must lie within its target.
            resources: [.embedInCode("release-keys.pub")]),

        // Edge
        .target(name: "Server", dependencies: ["Base", "CLinux", "EventLoop", "HTTP1", "WebSocket"]),
        .target(
            name: "API",
            dependencies: [
                "Base", "CAssets", "JSON", "Digests", "HubProtocol", "EventLoop", "EventLog", "HTTP1", "WebSocket",
                "Search", "Server",
                "Sessions", "Providers", "Configuration",
            ]),
        .target(
            name: "Client",
            dependencies: ["Base", "CLinux", "CVersion", "JSON", "HubProtocol", "EventLoop", "HTTP1", "WebSocket"]),
        .target(
            name: "EditorDoor",
            dependencies: ["ACPMessages", "Base", "JSON", "HubProtocol", "EventLoop", "Client"]),
        .target(
            name: "Terminal",
            dependencies: [
                "Archives", "Backups", "Base", "CLinux", "JSON", "HubProtocol", "EventLoop", "Processes",
                "Configuration", "Client", "Downloads", "EditorDoor", "Installations", "Releases",
            ]),

        // Composition
        .target(
            name: "Daemon",
            dependencies: [
                "Base", "CLinux", "CVersion", "JSON", "HubProtocol", "EventLoop", "Processes", "Configuration",
                "EventLog", "Installations",
                "Providers", "ProviderClaude", "ProviderCodex", "ProviderACP", "EchoAgent", "Redaction", "Search",
                "Sessions", "Archives", "Backups", "Server", "API",
            ]),
        .executableTarget(name: "codeai-hub-core", dependencies: ["Daemon"]),
        .executableTarget(name: "codeai-hub", dependencies: ["Terminal"]),
        .executableTarget(name: "codeai-hub-release", dependencies: ["CLinux", "Daemon", "Terminal"]),

        // Tests
        .target(
            name: "TestSupport",
            dependencies: [
                "Archives", "Base", "CLinux", "COpenSSL", "Configuration", "Digests", "EventLoop", "HubProtocol",
                "Installations", "JSON",
            ],
            path: "Tests/Support"),
        .target(name: "FaultServer", dependencies: ["TestSupport"], path: "Tests/FaultServer"),
        // Started by tests as a subprocess, for what would disturb other tests in their own process.
        .executableTarget(
            name: "TestPeer",
            dependencies: [
                "Base", "CLinux", "Configuration", "Digests", "EventLoop", "Installations", "Processes", "HTTP1",
                "WebSocket", "Server",
                "HubProtocol",
                "Providers", "TestSupport", "ProviderClaude", "FaultServer",
            ],
            path: "Tests/Peer"),
        .testTarget(name: "BaseTests", dependencies: ["Base", "TestSupport"]),
        .testTarget(name: "JSONTests", dependencies: ["JSON", "Base", "TestSupport"]),
        .testTarget(name: "EventLoopTests", dependencies: ["EventLoop", "Base", "TestSupport"]),
        .testTarget(
            name: "ProcessesTests", dependencies: ["Processes", "EventLoop", "Base", "TestSupport", "TestPeer"]),
        .testTarget(name: "DigestsTests", dependencies: ["Digests", "Base"]),
        .testTarget(
            name: "ReleasesTests",
            dependencies: ["Base", "Downloads", "Installations", "JSON", "Releases", "TestSupport"]),
        .testTarget(name: "SignaturesTests", dependencies: ["Signatures", "Base", "TestSupport"]),
        .testTarget(
            name: "DownloadsTests", dependencies: ["Downloads", "Base", "Digests", "FaultServer", "TestSupport"],
            exclude: ["tls_server.py"]),
        .testTarget(name: "ArchivesTests", dependencies: ["Archives", "TestSupport"]),
        .testTarget(
            name: "BackupsTests", dependencies: ["Archives", "Backups", "Base", "JSON", "TestSupport"]),
        .testTarget(
            name: "InstallationsTests",
            dependencies: ["Archives", "Base", "Digests", "Installations", "JSON", "TestPeer", "TestSupport"]),
        .testTarget(name: "RedactionTests", dependencies: ["Redaction", "Base", "JSON"]),
        .testTarget(name: "DaemonTests", dependencies: ["Daemon", "Base", "JSON", "TestSupport"]),
        .testTarget(name: "HTTP1Tests", dependencies: ["HTTP1", "Base", "CZlib", "TestSupport"]),
        .testTarget(name: "WebSocketTests", dependencies: ["WebSocket", "Base", "TestSupport"]),
        .testTarget(name: "HubProtocolTests", dependencies: ["HubProtocol", "JSON", "Base", "TestSupport"]),
        .testTarget(
            name: "ConfigurationTests", dependencies: ["Configuration", "JSON", "Base", "TestSupport", "TestPeer"]),
        .testTarget(
            name: "EventLogTests",
            dependencies: ["EventLog", "HubProtocol", "JSON", "Base", "EventLoop", "TestSupport"]),
        .testTarget(
            name: "ProvidersTests",
            dependencies: ["Providers", "Processes", "HubProtocol", "JSON", "Base", "EventLoop", "TestSupport"]),
        .testTarget(
            name: "ProviderClaudeTests",
            dependencies: [
                "ProviderClaude", "Providers", "Processes", "HubProtocol", "JSON", "Base", "EventLoop", "TestSupport",
                "TestPeer",
            ],
            resources: [.copy("Fixtures")]),
        .testTarget(
            name: "ProviderCodexTests",
            dependencies: [
                "ProviderCodex", "Providers", "Processes", "HubProtocol", "JSON", "Base", "EventLoop", "TestSupport",
            ],
            resources: [.copy("Fixtures")]),
        .testTarget(
            name: "ProviderACPTests",
            dependencies: [
                "ACPMessages", "ProviderACP", "EchoAgent", "Providers", "Processes", "HubProtocol", "JSON", "Base",
                "CLinux", "EventLoop", "TestSupport",
                // Has the echo agent in it, which the adapter is tried against.
                "codeai-hub-core",
            ],
            resources: [.copy("Fixtures")]),
        .testTarget(
            name: "SessionsTests",
            dependencies: [
                "Sessions", "EventLog", "Providers", "HubProtocol", "JSON", "Base", "EventLoop", "TestSupport",
            ]),
        .testTarget(
            name: "SearchTests",
            dependencies: ["Search", "EventLog", "HubProtocol", "JSON", "Base", "EventLoop", "TestSupport"]),
        .testTarget(
            name: "ServerTests",
            dependencies: ["Server", "HTTP1", "WebSocket", "EventLoop", "Base", "CLinux", "TestSupport", "TestPeer"]),
        .testTarget(
            name: "APITests",
            dependencies: [
                "API", "Server", "Sessions", "HTTP1", "HubProtocol", "JSON", "Base", "EventLoop", "TestSupport",
            ]),
        .testTarget(
            name: "ClientTests",
            dependencies: [
                "Client", "Terminal", "HubProtocol", "JSON", "Base", "EventLoop", "HTTP1", "WebSocket", "TestSupport",
            ]),
        .testTarget(
            name: "EditorDoorTests",
            dependencies: ["ACPMessages", "EditorDoor", "Client", "JSON", "TestSupport"]),
        .testTarget(
            name: "IntegrationTests",
            dependencies: [
                "Client", "Configuration", "Digests", "HubProtocol", "Installations", "JSON", "Base", "CLinux",
                "TestSupport",
                // The real programs are started as subprocesses; naming them here has them built first.
                "codeai-hub-core", "codeai-hub",
            ]),
    ],
    swiftLanguageModes: [.v6],
)

// ONLY_TESTS=JSONTests,BaseTests leaves out the other tests, which take most of a build's time.
if let wanted = Context.environment["ONLY_TESTS"]?.split(separator: ",").map(String.init) {
    package.targets.removeAll { $0.type == .test && !wanted.contains($0.name) }
}

// One set of compiler settings for every Swift target, each with its reason.
let cTargets: Set = ["CAssets", "CBzip2", "CLinux", "COpenSSL", "CSQLite", "CVersion", "CZlib"]
for target in package.targets where !cTargets.contains(target.name) {
    target.swiftSettings = [
        // Dynamic dispatch through `any` is visible where it happens.
        .enableUpcomingFeature("ExistentialAny"),
        // A file names what it uses; an import somewhere else never leaks in.
        .enableUpcomingFeature("MemberImportVisibility"),
        // Dependencies stay private unless a declaration really exposes them.
        .enableUpcomingFeature("InternalImportsByDefault"),
        // An async function stays where its caller is: no hidden thread hop.
        .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
        .enableUpcomingFeature("InferIsolatedConformances"),
        // A warning is a defect nobody has looked at yet.
        .treatAllWarnings(as: .error),
    ]
}

// scripts/build-core.sh: a small program, which is fast where it matters. Not by a setting that always holds, since a package
// with compiler flags of its own can't be depended on by its address.
if Context.environment["CODEAI_HUB_RELEASE"] != nil {
    let hot: Set = [
        "Base", "JSON", "EventLoop", "HTTP1", "WebSocket", "HubProtocol", "EventLog", "Sessions", "Server", "API",
    ]
    for target in package.targets where !cTargets.contains(target.name) && !hot.contains(target.name) {
        target.swiftSettings?.append(.unsafeFlags(["-Osize"]))
    }
}
