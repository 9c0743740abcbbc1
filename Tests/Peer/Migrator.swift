import Base
import Configuration
import Glibc
import TestSupport

/// Brings a configuration file up to date, puts the old one back, and again, until it is killed. Arguments: the file, the
/// folder for copies, a file with the old text.
enum Migrator {
    static func run(arguments: [String]) throws {
        guard arguments.count == 3 else { exit(2) }
        let (path, backups) = (arguments[0], arguments[1])
        let old = try readFile(arguments[2], limit: 1 << 20)
        print("ready")
        fflush(nil)
        while true {
            let loaded = try Configuration.load(
                path: path, environment: [:], backups: backups, chain: MigrationChain.trial)
            try writeFile(path, old)
            // Only now nobody needs it any more.
            if let backup = loaded.backup { unlink(backup) }
        }
    }
}
