// swift-tools-version: 6.2
import PackageDescription

let package = Package(
    name: "hub-example",
    platforms: [.macOS(.v15)],
    dependencies: [.package(name: "codeai-hub-core", path: "../../..")],
    targets: [
        .executableTarget(
            name: "hub-example", dependencies: [.product(name: "CodeAIHubClient", package: "codeai-hub-core")])
    ],
)
