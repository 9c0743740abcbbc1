/// Why something could not be fetched. The message says what to do where something can be done.
package struct DownloadError: Error, Equatable, Sendable, CustomStringConvertible {
    package enum Code: Equatable, Sendable {
        /// The text names no place that files are fetched from.
        case invalidLocation
        /// No connection, or it was cut: names that aren't known, refused, no route, reset.
        case unreachable
        /// Who was asked has no such file (404, 410, or there is none in a folder).
        case absent
        /// The server (or proxy) answered with this HTTP status.
        case refused(status: Int)
        /// The answer is no HTTP, or nothing that was asked for: compressed, a web page, a redirection that isn't followed.
        case badAnswer
        /// More than the caller wants to have.
        case tooLarge
        /// Not as long as it has to be.
        case wrongSize
        /// As long as it has to be, and other bytes.
        case wrongSum
        case timeout
        /// Who answered couldn't prove who it is, or can't speak TLS 1.2.
        case tls
        /// The file or folder here.
        case inputOutput
        /// The caller said so.
        case cancelled

        /// One word, for programs.
        package var name: String {
            switch self {
            case .invalidLocation: "invalid_location"
            case .unreachable: "unreachable"
            case .absent: "absent"
            case .refused: "refused"
            case .badAnswer: "bad_answer"
            case .tooLarge: "too_large"
            case .wrongSize: "wrong_size"
            case .wrongSum: "wrong_sum"
            case .timeout: "timeout"
            case .tls: "tls"
            case .inputOutput: "input_output"
            case .cancelled: "cancelled"
            }
        }
    }

    /// What the failure says about trying on.
    enum Reach: Equatable, Sendable {
        /// The same may work a moment later.
        case attempt
        /// This mirror won't do; another may.
        case mirror
        /// Nothing more is to be tried.
        case all
    }

    package let code: Code
    package let message: String
    let reach: Reach

    init(_ code: Code, _ message: String, reach: Reach? = nil) {
        self.code = code
        self.message = message
        self.reach = reach ?? DownloadError.usualReach(of: code)
    }

    package var description: String { message }

    /// Whether what was asked for isn't there, rather than that it couldn't be asked for.
    package var isAbsence: Bool { code == .absent }

    private static func usualReach(of code: Code) -> Reach {
        switch code {
        case .unreachable, .timeout: .attempt
        // Too early, too many requests, a gateway or a server that is down: not for long.
        case .refused(408), .refused(425), .refused(429), .refused(500...): .attempt
        case .invalidLocation, .absent, .refused, .badAnswer, .tooLarge, .wrongSize, .wrongSum, .tls: .mirror
        case .inputOutput, .cancelled: .all
        }
    }
}
