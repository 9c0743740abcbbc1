import Base
import Foundation
import JSON
import Redaction
import TestSupport
import Testing

@testable import Daemon

@Suite struct RotatingFileTests {
    private let folder: TemporaryFolder
    private var path: String { folder.path + "/a.log" }

    init() throws { folder = try TemporaryFolder("rotating") }

    private func line(_ text: String) -> [UInt8] { Array((text + "\n").utf8) }

    private func read(_ name: String = "a.log") -> String { folder.read(name) ?? "(none)" }

    @Test func itIsPutAsideWhenItHasGrown() {
        let file = RotatingFile(path: path, rules: .init(maxBytes: 12, maxAgeDays: 1, keep: 2))
        for text in ["one", "two", "three", "four", "five", "six", "seven"] { file.append(line(text)) }
        #expect(read() == "seven\n")
        #expect(read("a.log.1") == "five\nsix\n")
        #expect(read("a.log.2") == "three\nfour\n")
        #expect(read("a.log.3") == "(none)")
        // Fewer are to be kept from now on.
        file.apply(.init(maxBytes: 12, maxAgeDays: 1, keep: 1))
        #expect(read("a.log.2") == "(none)")
    }

    /// Also after a restart: the age of a file is that of its first line.
    @Test func itIsPutAsideWhenItHasAgedAndRemovedLater() throws {
        var now = Timestamp.now
        let begun = Timestamp(milliseconds: now.milliseconds - 49 * 3_600_000)
        let first = "{\"ts\":\"\(begun)\",\"level\":\"info\"}\n"
        try folder.write("a.log", first)
        let file = RotatingFile(path: path, rules: .init(maxBytes: 1 << 20, maxAgeDays: 2, keep: 3)) { now }
        file.append(line("new"))
        #expect(read() == "new\n")
        #expect(read("a.log.1") == first)
        now = Timestamp(milliseconds: now.milliseconds + 49 * 3_600_000)
        file.append(line("newer"))
        #expect(read() == "newer\n")
        #expect(read("a.log.1") == "(none)")
    }

    @Test func aLineThatACrashHasCutDoesNotSwallowTheNext() throws {
        try folder.write("a.log", "{\"ts\":\"2026-")
        let file = RotatingFile(path: path, rules: .init())
        file.append(line("next"))
        #expect(read() == "{\"ts\":\"2026-\nnext\n")
    }

    @Test func itIsFoundAgainWhenSomebodyMovedIt() throws {
        var now = Timestamp.now
        let file = RotatingFile(path: path, rules: .init()) { now }
        file.append(line("one"))
        try FileManager.default.moveItem(atPath: path, toPath: path + ".mine")
        now = Timestamp(milliseconds: now.milliseconds + 1001)
        file.append(line("two"))
        #expect(read() == "two\n")
        #expect(read("a.log.mine") == "one\n")
    }

    @Test func whatCannotBeWrittenIsCountedAndWritingBeginsAgain() throws {
        var now = Timestamp.now
        let deep = folder.path + "/logs"
        try FileManager.default.createDirectory(atPath: deep, withIntermediateDirectories: false)
        let file = RotatingFile(path: deep + "/a.log", rules: .init()) { now }
        #expect(file.append(line("one")))
        // Its folder goes, and something that is no folder takes its place.
        try FileManager.default.removeItem(atPath: deep)
        try folder.write("logs", "in the way")
        now = Timestamp(milliseconds: now.milliseconds + 1001)
        #expect(!file.append(line("two")))
        #expect(!file.append(line("three")))
        #expect(file.lost == 2)
        try FileManager.default.removeItem(atPath: deep)
        try FileManager.default.createDirectory(atPath: deep, withIntermediateDirectories: false)
        now = Timestamp(milliseconds: now.milliseconds + 1001)
        #expect(file.append(line("four")))
        #expect(read("logs/a.log") == "four\n")
    }

    @Test func aFullDiskTakesWholeLinesOrNone() throws {
        // Writing to /dev/full fails as on a full disk; it is no regular file and so is not even opened.
        let file = RotatingFile(path: "/dev/full", rules: .init())
        #expect(!file.append(line("one")))
        #expect(file.lost == 1)
    }
}

@Suite struct CrashReportTests {
    @Test func theNewestAreKeptAndSecretsAreNotInThem() throws {
        let folder = try TemporaryFolder("crash")
        let redactor = Redactor()
        redactor.add("planted-secret")
        try folder.write("core.log", "cut\n{\"message\":\"a\"}\nnoise\n{\"message\":\"has planted-secret in it\"}\n")
        let reports = CrashReports(folder: folder.path, redactor: redactor)
        let remains = LifeMarker.Remains(
            lastSign: Timestamp(milliseconds: 1_000_060_000), signal: 11,
            description: ["version": "9", "startedAt": JSON(Timestamp(milliseconds: 1_000_000_000).description)])
        var path: String?
        for second in 0..<4 {
            path = reports.write(
                remains, log: folder.path + "/core.log", keep: 2,
                now: Timestamp(milliseconds: 1_700_000_000_000 + Int64(second) * 1000))
        }
        #expect(reports.names.count == 2)
        let text = try String(contentsOfFile: #require(path), encoding: .utf8)
        let report = try JSON.parse(text)
        #expect(report["uptimeSeconds"] == 60)
        #expect(report["signal"] == 11)
        #expect(report["lastLogLines"]?.arrayValue?.count == 2)
        #expect(!text.contains("planted-secret"))
    }

    @Test func aMarkerSaysWhoDiedOfWhat() throws {
        let folder = try TemporaryFolder("marker")
        let path = folder.path + "/running"
        #expect(LifeMarker.left(at: path) == nil)
        try folder.write("running", "{\"pid\":7}\nsignal 06\nsignal 11\n")
        let remains = try #require(LifeMarker.left(at: path))
        #expect(remains.signal == 6)
        #expect(remains.description["pid"] == 7)
        try folder.write("running", "")
        #expect(LifeMarker.left(at: path)?.description.isEmpty == true)
    }

    @Test func refusalsAreCountedBeyondABudget() {
        var budget = RefusalBudget()
        let start = Timestamp(milliseconds: 60_000_000)
        #expect(budget.newMinute(start) == 0)
        let taken = (0..<100).count { _ in budget.take() }
        #expect(taken == RefusalBudget.perMinute)
        #expect(budget.newMinute(start) == nil)
        #expect(budget.newMinute(Timestamp(milliseconds: 60_060_000)) == 40)
    }
}
