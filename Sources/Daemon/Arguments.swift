/// The daemon's command line.
struct Arguments: Equatable {
    enum Action: Equatable {
        case run
        case showVersion
        case showHelp
        case checkConfiguration
    }

    var action = Action.run
    /// Absolute or relative to the current folder; nil: `core/config.json` in the home.
    var configurationPath: String?
    var host: String?
    var port: String?

    init(_ arguments: [String]) throws(StartError) {
        var rest = arguments[...]
        while let argument = rest.popFirst() {
            // `--name=value` and `--name value` mean the same.
            let parts = argument.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
            let inline = parts.count == 2 ? parts[1] : nil
            func value() throws(StartError) -> String {
                guard let value = inline ?? rest.popFirst(), !value.isEmpty else {
                    throw StartError("\(parts[0]) needs a value. Try --help.", exitCode: .usage)
                }
                return value
            }
            switch parts[0] {
            case "--config": configurationPath = try value()
            case "--host": host = try value()
            case "--port": port = try value()
            case "--version" where inline == nil: action = .showVersion
            case "--help" where inline == nil, "-h" where inline == nil: action = .showHelp
            case "--check-config" where inline == nil: action = .checkConfiguration
            default: throw StartError("\"\(argument)\" is not understood. Try --help.", exitCode: .usage)
            }
        }
    }

    static let help = """
        codeai-hub-core: the daemon that owns every AI coding session on this machine.

        Usage: codeai-hub-core [--config PATH] [--host HOST] [--port PORT]
               codeai-hub-core --check-config | --version | --help
               codeai-hub-core echo-agent        the built-in agent, speaking ACP on its standard streams
               codeai-hub-core provider-login ID [--config PATH]
                                                 the login of a provider's vendor, in this terminal
               codeai-hub-core provider-check [--config PATH]
                                                 what is installed and logged in, as JSON
               codeai-hub-core provider-check --module FILE | --modules
                                                 whether this core can use a provider's module; those it has

        Without arguments it runs in the foreground and logs JSON lines to stderr.

        --config PATH     the configuration file (default: core/config.json in the home)
        --host HOST       the address to listen on (default 127.0.0.1)
        --port PORT       the port, 0 for any free one (default 8080)
        --check-config    read the configuration, say what is wrong with it, and end

        Environment:
          CODEAI_HUB_HOME         the daemon's folder (default ~/.codeai-hub)
          CORE_HOST, CORE_PORT    as --host and --port
          CORE_SHUTDOWN_GRACE_MS  milliseconds that an idle daemon waits for a client before it ends
          CORE_LOG_LEVEL          debug, info, warn or error
          CODEAI_HUB_SERVICE      1: a service manager looks after it, so that it never ends for want of clients

        A flag comes before the environment, that before the configuration file, that before the default.

        Exit codes: 0 ended well, 1 failed, 2 wrong usage, 3 another daemon uses the home, 4 the address is taken,
        5 the configuration or the home is not usable.

        """
}
