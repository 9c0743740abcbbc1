import Base
import Client
import Foundation
import Installations
import JSON
import Releases
import TestSupport
import Testing

@testable import Terminal

/// A daemon that is asked to go over to another version, over connections that break.
@Suite(.timeLimit(.minutes(10))) struct RestartControlTests {
    /// What becomes of one request to restart.
    enum Fate { case answered, answerLost, answerLostAndGone, refused }

    /// How often a daemon was asked that treats one request after the other so, and what the asker was told.
    private func asked(_ fates: [Fate]) async throws -> (times: Int, error: ReleaseError?) {
        let folder = try TemporaryFolder("restart")
        let seen = Lock((times: 0, instance: "a"))
        let server = LoopbackHTTP { request, peer in
            guard request.method == "POST" else {
                let instance = seen.withLock { $0.instance }
                return peer.answer(200, [:], Array(#"{"version":"1.2.3","instanceId":"\#(instance)"}"#.utf8))
            }
            let fate = seen.withLock { seen in
                seen.times += 1
                let fate = fates[min(seen.times, fates.count) - 1]
                if fate == .answerLostAndGone { seen.instance = "b" }
                return fate
            }
            switch fate {
            case .answered: return peer.answer(202, [:], Array("{}".utf8))
            case .answerLost, .answerLostAndGone: return false
            case .refused:
                let error = #"{"error":{"code":"invalid_program","message":"it can't be run"}}"#
                return peer.answer(409, [:], Array(error.utf8))
            }
        }
        defer { server.stop() }
        try FileManager.default.createDirectory(atPath: folder.path + "/core", withIntermediateDirectories: true)
        try Data(#"{"host":"127.0.0.1","port":\#(server.port)}"#.utf8)
            .write(to: URL(fileURLWithPath: folder.path + "/core/endpoint.json"))
        let path = folder.path
        let error: ReleaseError? = await onThread {
            do {
                try TerminalDaemonControl(HubHome(path: path), InstallationHome(path: path)).restart()
                return nil
            } catch {
                return error as? ReleaseError
            }
        }
        return (seen.withLock { $0.times }, error)
    }

    @Test(arguments: [
        ([Fate.answered], 1), ([.answerLost, .answered], 2), ([.answerLostAndGone], 1), ([.answerLost], 3),
    ])
    func aLostAnswerIsNoRefusal(fates: [Fate], times: Int) async throws {
        let result = try await asked(fates)
        #expect(result.times == times)
        #expect(result.error == nil)
    }

    @Test(arguments: [[Fate.refused], [.answerLost, .refused]])
    func aRefusalIs(fates: [Fate]) async throws {
        let result = try await asked(fates)
        #expect(result.times == fates.count)
        #expect(result.error?.code == "restart_failed")
        #expect(result.error?.message.contains("it can't be run") == true)
    }
}
