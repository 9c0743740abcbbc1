import JSON
package import Providers

/// The `options` of an ACP agent's manifest, where it differs from what the protocol says or needs other limits.
extension ACPConfiguration {
    /// What to run, from a manifest. Options that are wrong are kept as `problem` and told when the session starts.
    package init(_ launch: ProviderLaunch, clientVersion: String) {
        self.init(executable: launch.executable, arguments: launch.arguments, environment: launch.environment)
        name = launch.name
        self.clientVersion = clientVersion
        for (key, value) in launch.options where !value.isNull {
            guard problem == nil else { return }
            problem = take(key, value).map { "options.\(key) \($0)" }
        }
    }

    /// - Returns: what is wrong.
    private mutating func take(_ key: String, _ value: JSON) -> String? {
        switch key {
        case "tokensAreCumulative": return set(\.tokensAreCumulative, value)
        case "files": return set(\.servesFiles, value)
        case "terminals": return set(\.servesTerminals, value)
        case "maximumFileBytes": return set(\.maximumFileBytes, value, 1...(32 << 20))
        case "maximumTerminals": return set(\.maximumTerminals, value, 1...1024)
        case "maximumTerminalOutputBytes": return set(\.maximumTerminalOutputBytes, value, 1...(16 << 20))
        case "startTimeout":
            guard let seconds = value.doubleValue, (1...3600).contains(seconds) else {
                return "must be seconds from 1 to 3600"
            }
            startTimeout = .milliseconds(Int(seconds * 1000))
        case "olderArguments":
            guard let arguments = ACPConfiguration.texts(value) else { return "must be an array of strings" }
            olderArguments = arguments
        case "authentication":
            guard let methods = value.objectValue else { return "must be an object" }
            for (method, variables) in methods {
                guard let names = ACPConfiguration.texts(variables) else {
                    return "must have arrays of variables' names in it"
                }
                authentication[method] = names
            }
        default: return "is not known"
        }
        return nil
    }

    private mutating func set(_ member: WritableKeyPath<ACPConfiguration, Bool>, _ value: JSON) -> String? {
        guard let flag = value.boolValue else { return "must be true or false" }
        self[keyPath: member] = flag
        return nil
    }

    private mutating func set(
        _ member: WritableKeyPath<ACPConfiguration, Int>, _ value: JSON, _ range: ClosedRange<Int>
    ) -> String? {
        guard let number = value.intValue, range.contains(number) else {
            return "must be a number from \(range.lowerBound) to \(range.upperBound)"
        }
        self[keyPath: member] = number
        return nil
    }

    private static func texts(_ value: JSON) -> [String]? {
        guard let array = value.arrayValue else { return nil }
        let texts = array.compactMap { $0.stringValue }
        return texts.count == array.count ? texts : nil
    }
}
