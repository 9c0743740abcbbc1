/// One element of Sec-WebSocket-Extensions (RFC 6455 section 9.1).
struct ExtensionOffer: Equatable {
    struct Parameter: Equatable {
        var name: String
        var value: String?
    }

    var name: String
    var parameters: [Parameter] = []

    /// All elements of all header values, in order. A value that breaks the grammar counts as absent: declining an
    /// extension is always right.
    static func parse(_ values: [String]) -> [ExtensionOffer] {
        var offers: [ExtensionOffer] = []
        for value in values {
            var scanner = Scanner(bytes: Array(value.utf8))
            if let list = scanner.list() { offers += list }
        }
        return offers
    }

    private struct Scanner {
        let bytes: [UInt8]
        var index = 0

        mutating func list() -> [ExtensionOffer]? {
            var offers: [ExtensionOffer] = []
            while true {
                skipSpace()
                if index == bytes.count { return offers }
                if take(",") { continue }
                guard let name = token() else { return nil }
                var offer = ExtensionOffer(name: name)
                skipSpace()
                while take(";") {
                    skipSpace()
                    guard let parameter = parameter() else { return nil }
                    offer.parameters.append(parameter)
                    skipSpace()
                }
                offers.append(offer)
                guard index == bytes.count || take(",") else { return nil }
            }
        }

        private mutating func parameter() -> Parameter? {
            guard let name = token() else { return nil }
            skipSpace()
            guard take("=") else { return Parameter(name: name, value: nil) }
            skipSpace()
            guard let value = take("\"") ? quoted() : token() else { return nil }
            return Parameter(name: name, value: value)
        }

        private mutating func token() -> String? {
            let start = index
            while index < bytes.count, Self.isTokenCharacter(bytes[index]) { index += 1 }
            return index > start ? String(decoding: bytes[start..<index], as: UTF8.self) : nil
        }

        /// What is quoted must be a token when unquoted.
        private mutating func quoted() -> String? {
            var text: [UInt8] = []
            while index < bytes.count, bytes[index] != UInt8(ascii: "\"") {
                if bytes[index] == UInt8(ascii: "\\") { index += 1 }
                guard index < bytes.count, Self.isTokenCharacter(bytes[index]) else { return nil }
                text.append(bytes[index])
                index += 1
            }
            return take("\"") && !text.isEmpty ? String(decoding: text, as: UTF8.self) : nil
        }

        private mutating func take(_ character: Unicode.Scalar) -> Bool {
            guard index < bytes.count, bytes[index] == UInt8(truncatingIfNeeded: character.value) else { return false }
            index += 1
            return true
        }

        private mutating func skipSpace() {
            while index < bytes.count, bytes[index] == 0x20 || bytes[index] == 0x09 { index += 1 }
        }

        private static func isTokenCharacter(_ byte: UInt8) -> Bool {
            guard byte > 0x20, byte < 0x7F else { return false }
            return !"()<>@,;:\\\"/[]?={}".utf8.contains(byte)
        }
    }
}
