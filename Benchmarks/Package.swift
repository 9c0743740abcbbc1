// swift-tools-version: 6.2
import PackageDescription

// Programs that measure; nothing here ships. How to run them: README.md.

// What is `package` in the product is visible here too, under the name that SwiftPM gives the product's package: that
// of its folder.
let productFolder = Context.packageDirectory.split(separator: "/").dropLast().last.map(String.init) ?? ""
let productName = String(productFolder.lowercased().map { $0.isLetter || $0.isNumber ? $0 : "_" })
let settings: [SwiftSetting] = [
    .unsafeFlags(["-package-name", productName]),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .treatAllWarnings(as: .error),
]
let gnu: [CSetting] = [.define("_GNU_SOURCE")]
let internals: Target.Dependency = .product(name: "CoreInternals", package: "codeai-hub-core")

let package = Package(
    name: "Benchmarks",
    platforms: [.macOS(.v15)],
    dependencies: [.package(name: "codeai-hub-core", path: "..")],
    targets: [
        // What the C programs share.
        .target(name: "CBench", cSettings: gnu, linkerSettings: [.linkedLibrary("crypto")]),
        .executableTarget(name: "load", dependencies: ["CBench"], cSettings: gnu),
        .executableTarget(name: "floor", dependencies: ["CBench"], cSettings: gnu),
        .executableTarget(name: "agent", dependencies: ["CBench"], cSettings: gnu),
        // What the Swift programs share.
        .target(name: "BenchSupport", packageAccess: false, swiftSettings: settings),
        .executableTarget(
            name: "log-bench", dependencies: ["BenchSupport", internals], packageAccess: false, swiftSettings: settings),
        .executableTarget(
            name: "decode-bench", dependencies: ["BenchSupport", internals], packageAccess: false,
            swiftSettings: settings),
        .executableTarget(
            name: "hub-bench", dependencies: ["BenchSupport", internals], packageAccess: false,
            swiftSettings: settings),
        .executableTarget(
            name: "daemon-bench", dependencies: ["BenchSupport", internals], packageAccess: false,
            swiftSettings: settings),
        // Runs the others.
        .executableTarget(name: "bench", packageAccess: false, swiftSettings: settings),
    ],
    swiftLanguageModes: [.v6],
)
