import Foundation
import TestSupport
import Testing

@Suite struct VersionTests {
    private let source = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appendingPathComponent("../..")

    private func said(_ program: String) throws -> String {
        let ended = try run(program, ["--version"])
        guard ended.code == 0 else { throw TestFailure(ended.text) }
        return ended.output
    }

    @Test(arguments: ["codeai-hub", "codeai-hub-core"]) func aVersionCanBeStamped(name: String) throws {
        let version = try String(contentsOf: source.appendingPathComponent("VERSION"), encoding: .utf8)
        #expect(try said("\(TestDaemon.programs)/\(name)") == "\(name) \(version)")

        let folder = try TemporaryFolder("stamp")
        let copy = folder.path + "/" + name
        try FileManager.default.copyItem(atPath: "\(TestDaemon.programs)/\(name)", toPath: copy)
        let stamp = source.appendingPathComponent("scripts/release/stamp.sh").path
        for version in ["10.20.30-beta.1+build.77", "0.2.0", "1.0.0-" + String(repeating: "x", count: 41)] {
            let stamped = try run(stamp, [copy, version])
            #expect(stamped.code == 0, "\(stamped.text)")
            #expect(try said(copy) == "\(name) \(version)\n")
        }
        for wrong in ["1.2", "01.2.3", "1.2.3-", "", "../1.2.3", "1.0.0-" + String(repeating: "x", count: 42)] {
            let refused = try run(stamp, [copy, wrong])
            #expect(refused.code != 0, "\(wrong) was taken")
            #expect(refused.errors.contains("error: "))
        }
        #expect(try run(stamp, ["/bin/sh", "1.2.3"]).code != 0)
    }
}
