import Base
import Foundation
import TestSupport
import Testing

@testable import Installations

/// The power goes after any of the calls by which an installation is changed, and only what was synchronized is certainly on
/// the disk. As after a kill: what was in force before is, or what was to be; both are whole; and everything goes on.
@Suite(.timeLimit(.minutes(30))) struct PowerLossTests {
    private static let seed = UInt64(environmentNumber("POWER_SEED", default: Int.random(in: 1..<1 << 40)))

    @Test(arguments: Scene.all.filter { !$0.isCutTwice }) func whatIsOnTheDiskWorks(_ scene: Scene) throws {
        let states = environmentNumber("POWER_STATES", default: 24)
        var random = SeededGenerator(seed: PowerLossTests.seed &+ UInt64(scene.testDescription.utf8.count))
        let stage = try Stage(scene.before, new: scene.new)
        let (disk, calls) = try stage.recording(of: scene.change)
        // Some of them when all is done: that has to last.
        var moments = (0..<states).map { _ in Int.random(in: 1...calls.count, using: &random) }.sorted()
        moments += Array(repeating: calls.count, count: 4)
        var (done, effects, old) = (0, 0, 0)
        for moment in moments {
            for call in calls[done..<moment] where try disk.apply(call) { effects += 1 }
            done = moment
            try stage.lose(disk, using: &random)
            let context = "seed \(PowerLossTests.seed), \(scene.testDescription), after \(done) of \(calls.count) calls"
            let found = try stage.inForce()
            let allowed = done == calls.count ? [scene.after] : scene.allowed
            #expect(allowed.contains(found), "\(context): \(found) is in force")
            if done == calls.count {
                #expect(stage.linked == scene.after, "\(context)")
                #expect(stage.isTried == (scene.change == "install" && !scene.before.isEmpty), "\(context)")
            }
            if scene.change == "install", found == scene.new, !scene.before.isEmpty {
                #expect(try stage.canGoBack(), "\(context): in force without a way back")
            }
            if found == scene.before.last.map(Stage.plain) ?? "" { old += 1 }
            try stage.check(context, isOnTrial: scene.isOnTrial(found), isLeft: scene.isLeft(found))
        }
        #expect(effects > 5)
        print(
            "power lost in \(moments.count) states of \(effects) changes: \(scene.testDescription): \(old) times as before, "
                + "\(moments.count - old) times as after, 0 broken (seed \(PowerLossTests.seed))")
    }

    @Test func aModuleIsThereWhenItIsInForce() throws {
        var random = SeededGenerator(seed: PowerLossTests.seed)
        let stage = try Stage(["1.0.0"], new: "1.9.0")
        let (disk, calls) = try stage.recording(of: "module")
        for (done, call) in calls.enumerated() where try disk.apply(call) {
            for _ in 0..<4 {
                try stage.lose(disk, using: &random)
                try stage.checkModule(
                    "seed \(PowerLossTests.seed), after \(done + 1) of \(calls.count) calls", isDone: false)
            }
        }
        for _ in 0..<8 {
            try stage.lose(disk, using: &random)
            try stage.checkModule("seed \(PowerLossTests.seed), after all calls", isDone: true)
        }
    }
}
