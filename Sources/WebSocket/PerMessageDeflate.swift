/// Negotiation of permessage-deflate (RFC 7692 section 7.1).
package enum PerMessageDeflate {
    static let name = "permessage-deflate"

    /// What a server wants.
    package struct Settings: Sendable, Equatable {
        /// Promise not to refer to earlier messages, which lets one compressed frame serve all clients. Default true.
        package var serverNoContextTakeover: Bool
        /// Demand the same of clients, which saves 40 KiB for each. Default true.
        package var clientNoContextTakeover: Bool
        /// 9...15. Default 15.
        package var serverMaxWindowBits: Int
        /// 9...15. Default 15; less is asked only of clients that say they can.
        package var clientMaxWindowBits: Int

        package init(
            serverNoContextTakeover: Bool = true, clientNoContextTakeover: Bool = true, serverMaxWindowBits: Int = 15,
            clientMaxWindowBits: Int = 15
        ) {
            self.serverNoContextTakeover = serverNoContextTakeover
            self.clientNoContextTakeover = clientNoContextTakeover
            self.serverMaxWindowBits = min(max(serverMaxWindowBits, 9), 15)
            self.clientMaxWindowBits = min(max(clientMaxWindowBits, 9), 15)
        }
    }

    /// What both ends will do.
    package struct Agreement: Sendable, Equatable {
        package var serverNoContextTakeover = false
        package var clientNoContextTakeover = false
        package var serverMaxWindowBits = 15
        package var clientMaxWindowBits = 15
        /// The server's answer in Sec-WebSocket-Extensions.
        package var response = PerMessageDeflate.name

        package init(
            serverNoContextTakeover: Bool = false, clientNoContextTakeover: Bool = false,
            serverMaxWindowBits: Int = 15, clientMaxWindowBits: Int = 15
        ) {
            self.serverNoContextTakeover = serverNoContextTakeover
            self.clientNoContextTakeover = clientNoContextTakeover
            self.serverMaxWindowBits = serverMaxWindowBits
            self.clientMaxWindowBits = clientMaxWindowBits
        }

        /// Whether a frame made by a deflater of these settings that keeps no context can be read by this client.
        package func canRead(_ settings: Deflater.Settings) -> Bool {
            settings.windowBits <= serverMaxWindowBits
        }
    }

    /// Takes the first offer that can be accepted; nil declines the extension.
    /// - Parameter offers: the values of Sec-WebSocket-Extensions.
    package static func negotiate(offers: [String], settings: Settings = Settings()) -> Agreement? {
        for offer in ExtensionOffer.parse(offers) where offer.name == name {
            if let parameters = Parameters(offer.parameters, isResponse: false) {
                if let agreement = accept(parameters, settings: settings) { return agreement }
            }
        }
        return nil
    }

    private static func accept(_ offer: Parameters, settings: Settings) -> Agreement? {
        var agreement = Agreement()
        if offer.serverNoContextTakeover || settings.serverNoContextTakeover {
            agreement.serverNoContextTakeover = true
            agreement.response += "; server_no_context_takeover"
        }
        if offer.clientNoContextTakeover || settings.clientNoContextTakeover {
            agreement.clientNoContextTakeover = true
            agreement.response += "; client_no_context_takeover"
        }
        // zlib turns a window of 8 bits into one of 9, which a client that asked for 8 might not hold: decline.
        let serverBits = min(offer.serverMaxWindowBits ?? 15, settings.serverMaxWindowBits)
        guard serverBits >= 9 else { return nil }
        agreement.serverMaxWindowBits = serverBits
        if offer.serverMaxWindowBits != nil || serverBits < 15 {
            agreement.response += "; server_max_window_bits=\(serverBits)"
        }
        switch offer.clientMaxWindowBits {
        case .absent:
            break
        case .anyValue, .value:
            let offered = if case .value(let bits) = offer.clientMaxWindowBits { bits } else { 15 }
            let clientBits = min(offered, settings.clientMaxWindowBits)
            agreement.clientMaxWindowBits = clientBits
            if clientBits < 15 { agreement.response += "; client_max_window_bits=\(clientBits)" }
        }
        return agreement
    }

    /// What our client offers.
    package static let clientOffer = "permessage-deflate; server_no_context_takeover; client_no_context_takeover"

    /// What a server answered to `clientOffer`; nil when it declined.
    /// - Throws: when it answers with what was not offered.
    package static func check(response values: [String]) throws(WebSocketHandshakeError) -> Agreement? {
        let answers = ExtensionOffer.parse(values)
        guard !answers.isEmpty || values.allSatisfy(\.isEmpty) else {
            throw WebSocketHandshakeError(.badExtensions, "the server's Sec-WebSocket-Extensions can't be read")
        }
        guard let answer = answers.first else { return nil }
        guard answers.count == 1, answer.name == name,
            let parameters = Parameters(answer.parameters, isResponse: true),
            parameters.serverNoContextTakeover, parameters.clientMaxWindowBits == .absent
        else {
            throw WebSocketHandshakeError(.badExtensions, "the server chose an extension that was not offered")
        }
        var agreement = Agreement()
        agreement.serverNoContextTakeover = true
        // Offered by us, so that we keep to it whether or not the server repeats it.
        agreement.clientNoContextTakeover = true
        agreement.serverMaxWindowBits = parameters.serverMaxWindowBits ?? 15
        agreement.response = values.first ?? name
        return agreement
    }

    /// The parameters of one offer or answer; nil when one is unknown, there twice, or has a value it may not have.
    private struct Parameters {
        enum ClientBits: Equatable {
            case absent, anyValue
            case value(Int)
        }

        var serverNoContextTakeover = false
        var clientNoContextTakeover = false
        var serverMaxWindowBits: Int?
        var clientMaxWindowBits = ClientBits.absent

        init?(_ parameters: [ExtensionOffer.Parameter], isResponse: Bool) {
            for parameter in parameters {
                switch (parameter.name, parameter.value) {
                case ("server_no_context_takeover", nil) where !serverNoContextTakeover:
                    serverNoContextTakeover = true
                case ("client_no_context_takeover", nil) where !clientNoContextTakeover:
                    clientNoContextTakeover = true
                case ("server_max_window_bits", let value?) where serverMaxWindowBits == nil:
                    guard let bits = Self.bits(value) else { return nil }
                    serverMaxWindowBits = bits
                case ("client_max_window_bits", nil) where clientMaxWindowBits == .absent && !isResponse:
                    clientMaxWindowBits = .anyValue
                case ("client_max_window_bits", let value?) where clientMaxWindowBits == .absent:
                    guard let bits = Self.bits(value) else { return nil }
                    clientMaxWindowBits = .value(bits)
                default:
                    return nil
                }
            }
        }

        /// 8...15 in decimal without leading zeros.
        private static func bits(_ text: String) -> Int? {
            guard text.utf8.first != 0x30, text.utf8.allSatisfy({ $0 &- 0x30 < 10 }), let bits = Int(text),
                (8...15).contains(bits)
            else { return nil }
            return bits
        }
    }
}
