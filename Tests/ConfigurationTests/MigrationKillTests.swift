import Foundation
import Glibc
import TestSupport
import Testing

@testable import Configuration

/// Whoever brings the file up to date is killed at random moments of it: as the daemon does at its start, but over and
/// over, so that every kill hits.
@Suite(.timeLimit(.minutes(10))) struct MigrationKillTests {
    @Test func theFileIsTheOldOneOrTheNewOne() throws {
        let rounds = environmentNumber("KILL_ROUNDS", default: 12)
        let seed = UInt64(environmentNumber("KILL_SEED", default: Int.random(in: 1..<1 << 40)))
        var random = SeededGenerator(seed: seed)
        let folder = try TemporaryFolder("migration")
        let (path, backups) = (folder.path + "/config.json", folder.path + "/backups")
        let old = MigrationChain.trialFile
        try write(old, folder.path + "/old.json")
        try write(old, path)
        _ = try Configuration.load(path: path, environment: [:], backups: backups, chain: .trial)
        let new = try text(path)
        #expect(new != old)
        var counts = (old: 0, new: 0)
        for round in 0..<rounds {
            try? FileManager.default.removeItem(atPath: backups)
            try write(old, path)
            let program = try RunningProgram(
                TestDaemon.programs + "/TestPeer", ["migrate", path, backups, folder.path + "/old.json"])
            try eventually("the migration has begun: \(program.soFar.text)", within: .seconds(20)) {
                program.soFar.output.hasPrefix("ready")
            }
            usleep(UInt32.random(in: 0...20_000, using: &random))
            kill(program.pid, SIGKILL)
            let run = program.wait()
            #expect(run.code == SIGKILL, "seed \(seed), round \(round): \(run.text)")

            let found = try text(path)
            #expect(found == old || found == new, "seed \(seed), round \(round): \(found)")
            if found == old { counts.old += 1 } else { counts.new += 1 }
            let names = (try? FileManager.default.contentsOfDirectory(atPath: backups)) ?? []
            // One that was cut short itself still has another name.
            let copies = names.filter { $0.hasSuffix(".json") }
            for copy in copies {
                let kept = try text(backups + "/" + copy)
                #expect(kept == old, "seed \(seed), round \(round): \(copy)")
            }
            #expect(found == old || !copies.isEmpty, "seed \(seed), round \(round): the old file is lost")

            // Whoever starts next.
            let loaded = try Configuration.load(path: path, environment: [:], backups: backups, chain: .trial)
            #expect(loaded.configuration.limits.maxClients == 9)
            #expect(try text(path) == new)
            #expect(!FileManager.default.fileExists(atPath: path + ".new"))
        }
        print(
            "migration kills: seed \(seed): \(rounds) kills, found \(counts.old) old and \(counts.new) new files, 0 lost"
        )
    }

    private func write(_ text: String, _ path: String) throws {
        try Data(text.utf8).write(to: URL(fileURLWithPath: path))
        chmod(path, 0o600)
    }

    private func text(_ path: String) throws -> String { try String(contentsOfFile: path, encoding: .utf8) }
}
