package import JSON

/// One row of the table of settings: everything there is to know about a key.
package struct Setting<Root>: Sendable {
    /// The path in the file, for example `server.port`.
    package let key: String
    package let form: SettingForm
    /// One or two sentences: what it does, its unit, why the default is what it is.
    package let summary: String
    package let effect: SettingEffect
    /// Only the file (and flags) can set it; clients neither set nor see it.
    package let isPrivileged: Bool
    /// The environment variable that overrides the file.
    package let variable: Variable?
    /// The value as JSON; nil when there is none, which only optional settings can have.
    package let get: @Sendable (Root) -> JSON?
    /// Stores a value that `form` has accepted.
    package let set: @Sendable (inout Root, JSON) -> Void

    /// Whether a running daemon takes a change up.
    package var isLive: Bool { effect != .restart }

    package struct Variable: Sendable {
        package let name: String
        /// What the variable's number is divided by to get the setting's.
        package var divisor = 1.0
    }
}

/// When a change of the file takes effect.
package enum SettingEffect: String, Sendable {
    case now
    /// At once, for connections made from then on; those that stand keep what they began with.
    case newConnections
    case restart
}

/// What a setting's value may be.
package enum SettingForm: Sendable {
    case integer(ClosedRange<Int>)
    case number(ClosedRange<Double>)
    case boolean
    case choice([String])
    case text(TextRule)
    case texts(TextRule)
    case textMap

    package enum TextRule: Sendable {
        case any
        case nonEmpty
        /// An absolute path, or empty.
        case folder
        /// An absolute path.
        case path
        /// `scheme://host[:port]`, or `null`.
        case origin
        /// A name or address without port.
        case host

        func problem(with text: String) -> String? {
            let bytes = Array(text.utf8)
            if bytes.contains(0) { return "must not contain NUL" }
            switch self {
            case .any: return nil
            case .nonEmpty: return bytes.isEmpty ? "must not be empty" : nil
            case .folder:
                return bytes.isEmpty || bytes[0] == UInt8(ascii: "/") ? nil : "must be an absolute path, or empty"
            case .path:
                return bytes.first == UInt8(ascii: "/") ? nil : "must be an absolute path"
            case .origin:
                if text == "null" || text == "file://" { return nil }
                let parts = text.split(separator: "/", omittingEmptySubsequences: false)
                let isOrigin =
                    parts.count == 3 && parts[0].hasSuffix(":") && parts[0].utf8.count > 1 && parts[1].isEmpty
                    && !parts[2].isEmpty && !text.contains(" ") && !text.contains("*")
                return isOrigin ? nil : "must be an origin such as https://example.com:8443, without a path"
            case .host:
                let isHost = !bytes.isEmpty && bytes.allSatisfy(TextRule.isHostByte)
                return isHost ? nil : "must be a host name or an address, without a port"
            }
        }

        private static func isHostByte(_ byte: UInt8) -> Bool {
            switch byte {
            case 0x30...0x39, 0x41...0x5a, 0x61...0x7a, UInt8(ascii: "."), UInt8(ascii: "-"), UInt8(ascii: "_"),
                UInt8(ascii: ":"), UInt8(ascii: "["), UInt8(ascii: "]"):
                true
            default: false
            }
        }
    }

    /// Why a value is not of this form; nil when it is.
    package func problem(with value: JSON) -> String? {
        switch self {
        case .integer(let range):
            guard case .int(let number) = value, let number = Int(exactly: number) else {
                return "must be a whole number, not \(SettingForm.name(of: value))"
            }
            return range.contains(number) ? nil : "must be \(rangeText ?? ""), not \(number)"
        case .number(let range):
            guard let number = value.doubleValue else { return "must be a number, not \(SettingForm.name(of: value))" }
            return range.contains(number) ? nil : "must be \(rangeText ?? ""), not \(value)"
        case .boolean:
            return value.boolValue == nil ? "must be true or false, not \(SettingForm.name(of: value))" : nil
        case .choice(let choices):
            guard let text = value.stringValue, choices.contains(text) else {
                return "must be one of \(choices.map { "\"\($0)\"" }.joined(separator: ", ")), not \(value)"
            }
            return nil
        case .text(let rule):
            guard let text = value.stringValue else { return "must be a string, not \(SettingForm.name(of: value))" }
            return rule.problem(with: text)
        case .texts(let rule):
            guard let values = value.arrayValue else {
                return "must be an array of strings, not \(SettingForm.name(of: value))"
            }
            for (index, element) in values.enumerated() {
                guard let text = element.stringValue else {
                    return "must be an array of strings; element \(index) is \(SettingForm.name(of: element))"
                }
                if let problem = rule.problem(with: text) { return "element \(index) \(problem)" }
            }
            return nil
        case .textMap:
            guard let object = value.objectValue else {
                return "must be an object of strings, not \(SettingForm.name(of: value))"
            }
            for (name, value) in object {
                let isName = !name.isEmpty && !name.utf8.contains(UInt8(ascii: "=")) && !name.utf8.contains(0)
                guard isName else { return "has a member whose name is no name of a variable" }
                // Never the value: it may be a secret.
                guard let text = value.stringValue, !text.utf8.contains(0) else {
                    return "must be an object of strings; \(name) is \(SettingForm.name(of: value))"
                }
            }
            return nil
        }
    }

    /// The allowed range, for people; nil when there is nothing to say.
    package var rangeText: String? {
        switch self {
        case .integer(let range):
            range.upperBound == .max ? "at least \(range.lowerBound)" : "\(range.lowerBound) to \(range.upperBound)"
        case .number(let range):
            range.upperBound == .infinity
                ? "at least \(JSON(range.lowerBound))" : "\(JSON(range.lowerBound)) to \(JSON(range.upperBound))"
        case .choice(let choices): choices.map { "`\($0)`" }.joined(separator: " or ")
        default: nil
        }
    }

    /// The type, for people.
    package var typeName: String {
        switch self {
        case .integer: "whole number"
        case .number: "number"
        case .boolean: "true or false"
        case .choice, .text: "string"
        case .texts: "array of strings"
        case .textMap: "object of strings"
        }
    }

    static func name(of value: JSON) -> String {
        switch value {
        case .null: "null"
        case .bool: "true or false"
        case .int: "a number"
        case .double: "a number with a fraction or out of range"
        case .string: "a string"
        case .array: "an array"
        case .object: "an object"
        }
    }
}
