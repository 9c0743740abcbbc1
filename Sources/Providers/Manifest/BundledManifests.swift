/// The manifests that are inside the binary, in the order in which they are shown.
enum BundledManifests {
    static let all: [(id: String, bytes: [UInt8])] = [
        ("claudeCodeCli", PackageResources.claudeCodeCli_json),
        ("codexCli", PackageResources.codexCli_json),
        ("geminiCli", PackageResources.geminiCli_json),
        ("echo", PackageResources.echo_json),
    ]
}
