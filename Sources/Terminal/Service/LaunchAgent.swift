/// The definition as a property list for macOS's launchd, for the user's own session.
enum LaunchAgent {
    static let label = "com.codeai-hub.core"
    static let file = label + ".plist"

    /// launchd hands sockets over by a call of its own, which the daemon doesn't know: it starts at login.
    static func text(_ definition: ServiceDefinition) -> String {
        let grace = SystemdUnits.stopSeconds(definition)
        return """
            <?xml version="1.0" encoding="UTF-8"?>
            <!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN" "http://www.apple.com/DTDs/PropertyList-1.0.dtd">
            <!-- Written by "codeai-hub service install". -->
            <plist version="1.0">
            <dict>
                <key>Label</key>
                <string>\(label)</string>
                <key>ProgramArguments</key>
                <array>
                    <string>\(escape(definition.program))</string>
                </array>
                <key>EnvironmentVariables</key>
                <dict>
                    <key>CODEAI_HUB_HOME</key>
                    <string>\(escape(definition.home))</string>
                    <key>CODEAI_HUB_SERVICE</key>
                    <string>1</string>
                    <key>PATH</key>
                    <string>\(escape(definition.searchPath))</string>
                </dict>
                <key>RunAtLoad</key>
                <true/>
                <key>KeepAlive</key>
                <dict>
                    <key>SuccessfulExit</key>
                    <false/>
                </dict>
                <key>ThrottleInterval</key>
                <integer>5</integer>
                <key>ExitTimeOut</key>
                <integer>\(grace)</integer>
                <key>ProcessType</key>
                <string>Interactive</string>
                <key>StandardErrorPath</key>
                <string>\(escape(definition.home))/logs/core-start.log</string>
            </dict>
            </plist>

            """
    }

    static func escape(_ text: String) -> String {
        var result = ""
        for character in text.unicodeScalars {
            switch character {
            case "&": result += "&amp;"
            case "<": result += "&lt;"
            case ">": result += "&gt;"
            default: result.unicodeScalars.append(character)
            }
        }
        return result
    }
}
