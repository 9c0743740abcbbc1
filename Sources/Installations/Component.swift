/// What has versions of its own in a home.
package enum Component: Hashable, Sendable, CustomStringConvertible {
    /// The daemon and the person's tool.
    case core
    /// What is known about a provider: its manifest.
    case provider(String)

    /// By the name that state files have for it: `core`, `provider:claudeCodeCli`. Nil for anything else.
    package init?(_ name: String) {
        if name == "core" {
            self = .core
            return
        }
        guard name.hasPrefix("provider:") else { return nil }
        let id = String(name.dropFirst("provider:".utf8.count))
        guard Component.isIdentifier(id) else { return nil }
        self = .provider(id)
    }

    /// A provider's id becomes a part of paths.
    package static func isIdentifier(_ id: String) -> Bool {
        (1...64).contains(id.utf8.count) && id.first != "-"
            && id.utf8.allSatisfy { byte in
                switch byte {
                case 0x30...0x39, 0x41...0x5a, 0x61...0x7a: true
                default: byte == UInt8(ascii: "-") || byte == UInt8(ascii: "_")
                }
            }
    }

    package var description: String {
        switch self {
        case .core: "core"
        case .provider(let id): "provider:\(id)"
        }
    }

    /// The files that every package of it has.
    package var requiredFiles: [String] {
        switch self {
        case .core: programs + ["VERSION"]
        case .provider: ["module.json"]
        }
    }

    /// Those of them that are executed.
    package var programs: [String] {
        switch self {
        case .core: ["codeai-hub-core", "codeai-hub"]
        case .provider: []
        }
    }
}
