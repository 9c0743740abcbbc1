// swift-tools-version: 6.2
import PackageDescription

// Fuzz targets, built and run by scripts/fuzz.sh. A package of its own, so that the sanitizers' flags stay out of the
// product's build.
//
// To add a target: a folder under Sources/ with one file that has `@c(LLVMFuzzerTestOneInput)`, its name in this list,
// and a few small seeds in Corpus/<target>.
let targets = [
    "FuzzHTTPRequest", "FuzzWebSocketFrames", "FuzzInflate", "FuzzACPAgent", "FuzzClaudeDecoder",
    "FuzzClaudeTranscript", "FuzzCodexDecoder", "FuzzCodexRollout", "FuzzLogReader", "FuzzJSON", "FuzzTar",
    "FuzzReleaseTexts",
]

// What is tested has package access. SwiftPM names a package after its folder, so that the name these targets have to
// give to be let in is that of the folder above.
let folder = Context.packageDirectory.split(separator: "/").dropLast().last.map(String.init) ?? ""
let packageName = String(folder.lowercased().map { $0.isLetter || $0.isNumber ? $0 : "_" })

let package = Package(
    name: "Fuzz",
    platforms: [.macOS(.v15)],
    products: targets.map { .library(name: $0, type: .static, targets: [$0]) },
    dependencies: [.package(name: "codeai-hub-core", path: "..")],
    targets: targets.map {
        .target(
            name: $0, dependencies: [.product(name: "CoreInternals", package: "codeai-hub-core")],
            packageAccess: false, swiftSettings: [.unsafeFlags(["-package-name", packageName])])
    },
    swiftLanguageModes: [.v6]
)
