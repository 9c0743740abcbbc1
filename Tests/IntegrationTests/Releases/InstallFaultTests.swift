import Base
import Digests
import Foundation
import Installations
import JSON
import TestSupport
import Testing

/// What the command `install` makes of what goes wrong: the version that was there works afterwards.
@Suite(.serialized, .timeLimit(.minutes(5))) struct InstallFaultTests {
    private let hub: InstalledHub
    private let mirror: TestMirror

    init() throws {
        hub = try InstalledHub()
        mirror = try TestMirror(hub.folder.path + "/mirror")
        try mirror.publish(TestRelease("1.2.0"))
        let first = try hub.ask(["install", "--from", mirror.path, "--key", mirror.keyFile])
        guard first.code == 0 else { throw TestFailure("\(first.lines)") }
        try mirror.publish(TestRelease("1.3.0"))
    }

    private func install(_ more: [String] = []) throws -> InstalledHub.Answer {
        try hub.ask(["install", "--from", mirror.path, "--key", mirror.keyFile] + more)
    }

    private func refused(_ code: String, _ more: [String] = [], line: Int = #line) throws {
        let answer = try install(more)
        #expect(answer.error == code, "line \(line): \(answer.last)")
        #expect(answer.code == 1)
        #expect(hub.installed == "1.2.0")
        #expect(try hub.problem() == nil)
    }

    /// Changes the package, and has the manifest say so: nobody but who signs could.
    private func repack(_ change: (inout [UInt8]) -> Void) throws {
        let package = try TestRelease("1.3.0").package(in: mirror.path)
        var bytes = try readFile(package.file, limit: 64 << 20)
        change(&bytes)
        try writeFile(package.file, bytes)
        var manifest = try #require(try JSON.parse(readFile(mirror.manifest)).objectValue)
        var entry = try #require(manifest["platforms"]?[InstallationHome.currentPlatform]?.objectValue)
        entry["size"] = JSON(bytes.count)
        entry["sha1"] = JSON(hexadecimal(sha1(bytes)))
        entry["sha256"] = JSON(hexadecimal(sha256(bytes)))
        manifest["platforms"] = [InstallationHome.currentPlatform: .object(entry)]
        try mirror.write(JSON.object(manifest).serialize())
    }

    @Test func packagesThatAreNotRight() throws {
        for (member, value) in [
            ("sha1", JSON(String(repeating: "0", count: 40))), ("sha256", JSON(String(repeating: "0", count: 64))),
        ] {
            try mirror.publish(TestRelease("1.3.0")) { $0[member] = value }
            let answer = try install()
            #expect(["wrong_sum", "package_wrong_sum"].contains(answer.error), "\(member): \(answer.last)")
        }
        for (member, value) in [("sha1", ""), ("sha256", ""), ("size", JSON.null)] as [(String, JSON)] {
            try mirror.publish(TestRelease("1.3.0")) { $0[member] = value }
            try refused("manifest_invalid")
        }
        try mirror.publish(TestRelease("1.3.0")) { $0["size"] = 12 }
        #expect(try install().code == 1)
        try repack { $0[$0.count / 2] ^= 0x10 }
        try refused("package_damaged")
        try repack { $0.removeLast($0.count / 3) }
        try refused("package_damaged")
        var empty = TestRelease("1.3.0")
        empty.claims = "1.2.9"
        try mirror.publish(empty)
        try refused("preflight_failed")
        try mirror.publish(TestRelease("1.3.0"))
        #expect(try install().code == 0)
        #expect(hub.installed == "1.3.0")
    }

    @Test func whoMustHaveSigned() throws {
        try mirror.sign(with: TestKey(7))
        try refused("signature_wrong")
        try refused("signature_wrong", ["--allow-unsigned"])
        unlink(mirror.manifest + ".sig")
        try refused("unsigned")
        #expect(try hub.ask(["install", "--from", mirror.path, "--allow-unsigned"]).code == 0)
        #expect(hub.installed == "1.3.0")
        // Without its key nobody knows who that is.
        try mirror.publish(TestRelease("1.4.0"))
        #expect(try hub.ask(["install", "--from", mirror.path]).error == "signature_wrong")
        try mirror.publish(TestRelease("1.2.0"))
        #expect(try install().error == "downgrade_refused")
        #expect(try install(["--allow-downgrade"]).code == 0)
        #expect(hub.installed == "1.2.0")
    }

    /// The file that says what is in force can't be read: nothing is lost by that.
    @Test(arguments: ["install", "update"]) func aDamagedFileOfVersionsIsMended(_ command: String) throws {
        #expect(try install().code == 0)
        try mirror.publish(TestRelease("1.4.0"))
        for text in ["", "{", "[]", #"{"core":7}"#] {
            try hub.folder.write("hub/installed-versions.json", text)
            let words = [command, "--from", mirror.path, "--key", mirror.keyFile]
            let answer = try hub.ask(words + (command == "update" ? ["--yes"] : []))
            #expect(answer.code == 0, "\(text): \(answer.last)")
            #expect(hub.installed == "1.4.0")
            #expect(try hub.problem() == nil)
        }
    }

    @Test func placesThatCannotBeWritten() throws {
        try refused("file_too_large", [], limits: ["--fsize=250000"])
        // A disk without room, where that can be had; and a file where a folder must be.
        let answer = try hub.ask(["install", "--home", "/proc/none", "--from", mirror.path, "--key", mirror.keyFile])
        #expect(answer.code == 1)
        #expect(answer.error != nil)
        try hub.folder.write("file", "")
        let other = try hub.ask(
            ["install", "--home", hub.folder.path + "/file", "--from", mirror.path, "--key", mirror.keyFile])
        #expect(other.code == 1)
    }

    private func refused(_ code: String, _ more: [String], limits: [String]) throws {
        let words =
            limits + [InstalledHub.builtProgram, "install", "--from", mirror.path, "--key", mirror.keyFile, "--json"]
        let run = try hub.tool(words, program: "prlimit")
        #expect(run.output.contains(code), "\(run.text)")
        #expect(hub.installed == "1.2.0")
        #expect(try hub.problem() == nil)
    }

    @Test func twoInstallersAtOnce() throws {
        let arguments = ["install", "--from", mirror.path, "--key", mirror.keyFile, "--json"]
        let running = try (0..<4).map { _ in try hub.start(arguments) }
        try eventually("all end", within: .seconds(60)) { running.allSatisfy { !$0.isRunning } }
        let outputs = running.map { $0.soFar.output }
        #expect(outputs.contains { $0.contains("\"done\"") })
        for output in outputs {
            let isFine = output.contains("\"done\"") || output.contains("install_running")
            #expect(isFine, "\(output)")
        }
        #expect(hub.installed == "1.3.0")
        #expect(try hub.problem() == nil)
    }

    /// Dead, lying, cutting, and one that is as it must be: for the manifest and for the package.
    @Test func mirrorsThatWontDo() throws {
        let package = try readFile(mirror.path + "/" + packageName, limit: 64 << 20)
        let cuts = Lock(0)
        let server = LoopbackHTTP { [mirror, packageName] request, peer in
            let name = request.path.split(separator: "/").last.map(String.init) ?? ""
            if request.path.hasPrefix("/lies/") {
                var bytes = package
                bytes[bytes.count / 2] ^= 1
                return peer.answer(200, [:], bytes)
            }
            if request.path.hasPrefix("/cuts/"), name == packageName {
                let first =
                    request.headers["range"].flatMap {
                        Int($0.dropFirst("bytes=".count).prefix { $0.isNumber })
                    } ?? 0
                let count = cuts.withLock { cuts in
                    cuts += 1
                    return 70_000 + 1000 * cuts
                }
                let rest = Array(package[first...])
                let head =
                    first == 0
                    ? "HTTP/1.1 200 OK\r\naccept-ranges: bytes\r\netag: \"x\"\r\n"
                    : "HTTP/1.1 206 Partial\r\netag: \"x\"\r\ncontent-range: bytes \(first)-\(package.count - 1)/\(package.count)\r\n"
                _ = peer.write(Array((head + "content-length: \(rest.count)\r\n\r\n").utf8) + rest.prefix(count))
                return false
            }
            guard let bytes = try? readFile(mirror.path + "/" + name, limit: 64 << 20) else {
                return peer.answer(404, [:], [])
            }
            return peer.answer(200, [:], bytes)
        }
        defer { server.stop() }
        let place = "http://127.0.0.1:\(server.port)"
        try mirror.publish(
            TestRelease("1.3.0"), baseUrl: ["http://127.0.0.1:1/", JSON(place + "/lies/"), JSON(place + "/cuts/")])
        try hub.folder.write(
            "hub/core/config.json",
            #"{"schemaVersion":1,"updates":{"manifests":["http://127.0.0.1:1/manifest.json","\#(place)/nothing/x.json","\#(place)/"],"keys":["\#(mirror.keyFile)"]}}"#
        )
        let check = try hub.ask(["update", "--check"])
        #expect(check.last["components"]?[0]?["to"] == "1.3.0", "\(check.lines)")
        let answer = try hub.ask(["update", "--yes"])
        #expect(answer.code == 0, "\(answer.last)")
        #expect(answer.lines.count { $0["event"] == "skipped" } == 2)
        #expect(hub.installed == "1.3.0")
        #expect(cuts.withLock { $0 } > 2)
        #expect(try hub.problem() == nil)
    }

    private var packageName: String { "codeai-hub-core-\(InstallationHome.currentPlatform)-1.3.0.tar.bz2" }

    /// In the middle of what is fetched last, and of what may be missing.
    @Test(arguments: [(["install"], ".tar.bz2"), (["update", "--yes"], "providers-manifest.json")])
    func controlCLeavesWhatWasThere(command: [String], cut: String) throws {
        let hangs = Lock(false)
        let server = LoopbackHTTP { [mirror] request, peer in
            let name = request.path.split(separator: "/").last.map(String.init) ?? ""
            let bytes = (try? readFile(mirror.path + "/" + name, limit: 64 << 20)) ?? []
            guard name.hasSuffix(cut) else {
                return bytes.isEmpty ? peer.answer(404, [:], []) : peer.answer(200, [:], bytes)
            }
            _ = peer.write(
                Array("HTTP/1.1 200 OK\r\ncontent-length: \(max(bytes.count, 2000))\r\n\r\n".utf8) + bytes.prefix(1000))
            hangs.withLock { $0 = true }
            peer.hang()
            return false
        }
        defer { server.stop() }
        let running = try hub.start(
            command + ["--from", "http://127.0.0.1:\(server.port)/", "--key", mirror.keyFile, "--json"])
        try eventually("it waits for \(cut)") { hangs.withLock { $0 } }
        kill(running.pid, SIGINT)
        try eventually("it ends") { !running.isRunning }
        #expect(running.soFar.code == 130)
        #expect(running.soFar.output.contains("\"cancelled\""))
        #expect(hub.installed == "1.2.0")
        #expect(try install().code == 0)
    }

    /// SIGKILL at random points of the whole command. RELEASE_KILL_SECONDS has it go on for longer.
    @Test func killedAtAnyPoint() throws {
        let variables = ProcessInfo.processInfo.environment
        let limit = Duration.seconds(variables["RELEASE_KILL_SECONDS"].flatMap { Int($0) } ?? 12)
        let seed = variables["RELEASE_KILL_SEED"].flatMap { UInt64($0) } ?? UInt64.random(in: 1...1_000_000)
        var random = SeededGenerator(seed: seed)
        let clock = ContinuousClock()
        // How long one takes.
        let begin = clock.now
        #expect(try install().code == 0)
        var length = clock.now - begin
        var (kills, old, new, whole) = (0, 0, 0, 0)
        var minor = 4
        while clock.now - begin < limit {
            let (before, next) = ("1.\(minor - 1).0", "1.\(minor).0")
            try mirror.publish(TestRelease(next))
            let start = clock.now
            let running = try hub.start(["install", "--from", mirror.path, "--key", mirror.keyFile, "--json"])
            usleep(UInt32.random(in: 0...UInt32(length / .microseconds(1)), using: &random))
            if running.isRunning {
                kill(running.pid, SIGKILL)
                kills += 1
            } else {
                whole += 1
                length = (length * 3 + (clock.now - start)) / 4
            }
            try eventually("it is gone") { !running.isRunning }
            let installed = hub.installed
            let isOneOfThem = [before, next].contains(installed)
            #expect(isOneOfThem, "seed \(seed), kill \(kills): \(installed ?? "nothing") after \(before) -> \(next)")
            #expect(try hub.problem() == nil, "seed \(seed), kill \(kills)")
            if installed == next { new += 1 } else { old += 1 }
            // What a person does next works, whatever was left behind; sometimes the same thing is killed again first.
            if installed == before, Bool.random(using: &random) { continue }
            if installed == before {
                let again = try install()
                #expect(again.code == 0, "seed \(seed), kill \(kills): \(again.last)")
                #expect(hub.installed == next)
            }
            minor += 1
        }
        let again = try install()
        #expect(again.code == 0, "\(again.last)")
        #expect(try hub.problem() == nil)
        #expect(hub.installation.currentTarget == hub.installed)
        let left = try FileManager.default.contentsOfDirectory(
            atPath: hub.home + "/core/\(InstallationHome.currentPlatform)")
        #expect(left.allSatisfy { !$0.hasPrefix(".") }, "\(left)")
        print(
            "install kills: seed \(seed): \(kills) kills, \(whole) ran to their end; old works \(old), new works \(new), 0 broken"
        )
        #expect(kills > 3)
    }
}
