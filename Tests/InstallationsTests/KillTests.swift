import Base
import Foundation
import JSON
import TestSupport
import Testing

@testable import Installations

/// Whoever changes an installation is killed right before a single call that changes the file system: strace does so, at the
/// number it is told. What was in force before is afterwards, or what was to be; both are whole; and everything goes on.
@Suite(.timeLimit(.minutes(30))) struct KillTests {
    private static let seed = UInt64(environmentNumber("KILL_SEED", default: Int.random(in: 1..<1 << 40)))

    @Test(arguments: Scene.all) func everythingIsAsBeforeOrAsAfter(_ scene: Scene) throws {
        let most = environmentNumber("KILL_POINTS", default: 16)
        var random = SeededGenerator(seed: KillTests.seed &+ UInt64(scene.testDescription.utf8.count))
        let stage = try Stage(scene.before, new: scene.new)
        let all = try stage.points(of: scene.change)
        #expect(all.count > 10)
        let points = all.count <= most ? all : Array(all.shuffled(using: &random).prefix(most))
        var counts = (deaths: 0, old: 0, new: 0)
        for point in points {
            let context = "seed \(KillTests.seed), \(scene.testDescription), \(point.name) number \(point.ordinal)"
            try stage.reset()
            if scene.isCutTwice {
                // First something else is left behind.
                let earlier = scene.change == "settle" ? "roll-back" : "install"
                let points = try stage.points(of: earlier)
                try stage.reset()
                _ = try stage.die(earlier, at: points.randomElement(using: &random)!)
            }
            guard try stage.die(scene.change, at: point) else { continue }
            counts.deaths += 1
            let found = try stage.inForce()
            #expect(scene.allowed.contains(found), "\(context): \(found) is in force")
            if scene.change == "install", found == scene.new, !scene.before.isEmpty {
                #expect(try stage.canGoBack(), "\(context): in force without a way back")
            }
            if found == scene.before.last.map(Stage.plain) ?? "" { counts.old += 1 } else { counts.new += 1 }
            try stage.check(context, isOnTrial: scene.isOnTrial(found), isLeft: scene.isLeft(found))
        }
        // After another cut there may be less to do.
        #expect(counts.deaths > points.count / (scene.isCutTwice ? 4 : 2))
        print(
            "killed at \(counts.deaths) of \(all.count) calls: \(scene.testDescription): \(counts.old) times as before, "
                + "\(counts.new) times as after, 0 broken (seed \(KillTests.seed))")
    }
}
