import ACPMessages
import CLinux
import Foundation
import ProviderACP
import TestSupport
import Testing

/// What an agent may have opened for it, and what not.
@Suite struct WorkspaceTests {
    private let folder: TemporaryFolder
    private let workspace: Workspace
    private var root: String { folder.path + "/work" }

    init() throws {
        folder = try TemporaryFolder("workspace")
        try folder.write("secret.txt", "secret")
        try folder.write("work/a.txt", "one\ntwo\nthree\n")
        try folder.write("work/sub/b.txt", "b")
        try folder.write("work-next/c.txt", "c")
        workspace = Workspace(folder.path + "/work", maximumFileBytes: 1 << 16)
    }

    private func link(_ name: String, to target: String) throws {
        try #require(symlink(target, root + "/" + name) == 0)
    }

    private func code(_ body: () throws -> Void) -> Int? {
        do {
            try body()
            return nil
        } catch {
            return (error as? ACPError)?.code
        }
    }

    // MARK: Reading

    @Test(
        arguments: [
            (nil, nil, "one\ntwo\nthree\n"), (1, nil, "one\ntwo\nthree\n"), (0, 1, "one\n"), (2, nil, "two\nthree\n"),
            (2, 1, "two\n"), (3, 9, "three\n"), (4, nil, ""), (99, 1, ""), (1, 0, ""), (nil, 2, "one\ntwo\n"),
        ] as [(Int?, Int?, String)])
    func lines(_ line: Int?, _ limit: Int?, _ expected: String) throws {
        let text = try workspace.read(root + "/a.txt", line: line, limit: limit)
        #expect(text == expected)
    }

    @Test(arguments: ["/sub/../a.txt", "//a.txt", "/./sub/./../a.txt", "/sub//b.txt"])
    func waysWithin(_ path: String) throws {
        #expect(try !workspace.read(root + path).isEmpty)
    }

    /// Each of them as the path of a file to read, of a file to write and of a folder.
    static let escapes = [
        "/../secret.txt", "/sub/../../secret.txt", "/../work-next/c.txt", "-next/c.txt", "/out/secret.txt",
        "/deep/er/../../../secret.txt", "/absolute", "/relative", "/loop", "/..", "/sub/../..", "/chain",
        // A slash that Swift takes for a part of another character.
        "/none/../../\u{301}/x", "/none/../../\u{301}", "/\u{301}/../../\u{301}x/y",
    ]

    @Test(arguments: escapes) func escapesAreRefused(_ path: String) throws {
        try link("out", to: "..")
        try link("absolute", to: folder.path + "/secret.txt")
        try link("relative", to: "../secret.txt")
        try link("loop", to: "loop")
        try link("chain", to: "sub/chain2")
        try link("sub/chain2", to: "../../secret.txt")
        let read = code { _ = try workspace.read(root + path) }
        let write = code { _ = try workspace.write(root + path, "x") }
        let enter = code { close(try workspace.openFolder(root + path)) }
        #expect(read != nil)
        #expect(write != nil)
        #expect(enter != nil)
        #expect(folder.read("secret.txt") == "secret")
        #expect(folder.read("work-next/c.txt") == "c")
        let names = try FileManager.default.contentsOfDirectory(atPath: folder.path)
        #expect(names.sorted() == ["secret.txt", "work", "work-next"])
    }

    @Test(arguments: [
        "", "a.txt", "./a.txt", "../secret.txt", "~/x", "file:///etc/passwd", "/etc/passwd", "/proc/self/environ",
        "/proc/self/cwd/x", "/dev/zero", "/tmp", "/",
    ]) func pathsFromElsewhereAreRefused(_ path: String) {
        #expect(code { _ = try workspace.read(path) } == -32602)
        #expect(code { _ = try workspace.write(path, "x") } == -32602)
        #expect(code { close(try workspace.openFolder(path)) } == -32602)
    }

    @Test func oddPathsAreRefused() {
        let long = root + "/" + String(repeating: "x/", count: 3000)
        #expect(code { _ = try workspace.read(root + "/a\0.txt") } == -32602)
        #expect(code { _ = try workspace.write(long, "x") } == -32602)
        #expect(code { _ = try workspace.read(root + "/" + String(repeating: "n", count: 300)) } == -32602)
    }

    @Test func linksOfTheKernelLeadNowhere() throws {
        // A magic link: what it leads to is no matter of its text.
        try link("fd", to: "/proc/self/fd/0")
        #expect(code { _ = try workspace.read(root + "/fd") } == -32602)
    }

    @Test func onlyFilesAreRead() throws {
        try #require(mkfifo(root + "/fifo", 0o600) == 0)
        #expect(code { _ = try workspace.read(root + "/fifo") } == -32602)
        #expect(code { _ = try workspace.write(root + "/fifo", "x") } == -32602)
        #expect(code { _ = try workspace.read(root + "/sub") } == -32602)
        #expect(code { _ = try workspace.write(root + "/sub", "x") } == -32602)
        #expect(code { _ = try workspace.write(root + "/", "x") } == -32602)
        #expect(code { _ = try workspace.write(root + "/a.txt/", "x") } == -32602)
        #expect(code { _ = try workspace.write(root + "/a.txt/b", "x") } == -32002)
        #expect(code { _ = try workspace.read(root + "/none") } == -32002)
    }

    @Test func sizeAndEncodingAreChecked() throws {
        try folder.write("work/large", String(repeating: "x", count: 1 << 16 + 1))
        try #require(FileManager.default.createFile(atPath: root + "/binary", contents: Data([0x61, 0xff, 0x62])))
        #expect(code { _ = try workspace.read(root + "/large", line: 1, limit: 1) } == -32602)
        #expect(code { _ = try workspace.read(root + "/binary") } == -32602)
        #expect(code { _ = try workspace.write(root + "/a.txt", String(repeating: "x", count: 1 << 16 + 1)) } == -32602)
        #expect(folder.read("work/a.txt") == "one\ntwo\nthree\n")
        // What was no text is not told as such, and can be replaced.
        #expect(try workspace.write(root + "/binary", "text") == nil)
    }

    // MARK: Writing

    @Test func writesWholeAndKeepsTheMode() throws {
        try #require(chmod(root + "/a.txt", 0o754) == 0)
        #expect(try workspace.write(root + "/a.txt", "new") == "one\ntwo\nthree\n")
        #expect(folder.read("work/a.txt") == "new")
        var information = stat()
        #expect(stat(root + "/a.txt", &information) == 0)
        #expect(information.st_mode & 0o777 == 0o754)
        #expect(try FileManager.default.contentsOfDirectory(atPath: root).sorted() == ["a.txt", "sub"])
    }

    @Test func makesFilesAndFolders() throws {
        #expect(try workspace.write(root + "/x/y/z.txt", "z") == nil)
        #expect(folder.read("work/x/y/z.txt") == "z")
        #expect(try workspace.read(root + "/x/y/z.txt") == "z")
    }

    @Test func foldersAreMadeWithinOnly() throws {
        try link("out", to: "..")
        #expect(code { _ = try workspace.write(root + "/out/made/z.txt", "z") } == -32602)
        #expect(code { _ = try workspace.write(root + "/x/../../made/z.txt", "z") } != nil)
        #expect(!FileManager.default.fileExists(atPath: folder.path + "/made"))
    }

    @Test func linksWithinAreFollowedAndStay() throws {
        try link("sub/link", to: "../a.txt")
        #expect(try workspace.write(root + "/sub/link", "through") == "one\ntwo\nthree\n")
        #expect(folder.read("work/a.txt") == "through")
        #expect(try FileManager.default.destinationOfSymbolicLink(atPath: root + "/sub/link") == "../a.txt")
        #expect(try workspace.read(root + "/sub/link") == "through")
        // One that leads to nothing yet makes what it leads to.
        try link("later", to: "sub/new.txt")
        #expect(try workspace.write(root + "/later", "n") == nil)
        #expect(folder.read("work/sub/new.txt") == "n")
    }

    @Test func aFileThatMayNotBeWrittenIsNotReplaced() throws {
        try #require(chmod(root + "/a.txt", 0o444) == 0)
        // Nothing is forbidden to root.
        let result = code { _ = try workspace.write(root + "/a.txt", "x") }
        #expect(result == (geteuid() == 0 ? nil : -32603))
    }

    @Test func theWorkspaceMayBeNamedByALink() throws {
        try #require(symlink(root, folder.path + "/alias") == 0)
        let alias = Workspace(folder.path + "/alias")
        #expect(try alias.read(folder.path + "/alias/sub/b.txt") == "b")
        #expect(try alias.read(root + "/sub/b.txt") == "b")
        #expect(code { _ = try alias.read(folder.path + "/secret.txt") } == -32602)
    }

    @Test func whatIsSwappedMeanwhileLeadsNowhere() throws {
        // A folder turns into a link to the outside and back, as fast as it can, while it is written through.
        try folder.write("outside/f", "secret")
        try FileManager.default.createDirectory(atPath: root + "/real", withIntermediateDirectories: true)
        try folder.write("work/real/f", "inside")
        try link("evil", to: "../outside")
        try #require(symlink("real", root + "/swap") == 0)
        let stop = Flag()
        let root = root
        let thread = Thread {
            var isEvil = false
            while !stop.isSet {
                isEvil.toggle()
                symlink(isEvil ? "../outside" : "real", root + "/swap.new")
                rename(root + "/swap.new", root + "/swap")
            }
            stop.acknowledge()
        }
        thread.start()
        var reads: Set<String> = []
        for _ in 0..<3000 {
            if let text = try? workspace.read(root + "/swap/f") { reads.insert(text) }
            _ = try? workspace.write(root + "/swap/f", "written")
        }
        stop.set()
        #expect(folder.read("outside/f") == "secret")
        #expect(!reads.contains("secret"))
    }

    // MARK: Without openat2

    @Test(arguments: [
        ("a.txt", true), ("sub/b.txt", true), ("./sub//b.txt", true), (".", true), ("../secret.txt", false),
        ("sub/../a.txt", false), ("out/secret.txt", false), ("inner", false), ("/etc/passwd", false), ("none", false),
        ("a.txt/b", false),
    ]) func theWalk(_ path: String, _ isOpened: Bool) throws {
        try link("out", to: "..")
        try link("inner", to: "a.txt")
        let directory = open(root, O_RDONLY | O_DIRECTORY)
        defer { close(directory) }
        let file = clinux_walk_beneath(directory, path, O_RDONLY, 0)
        #expect((file >= 0) == isOpened)
        if file >= 0 { close(file) }
    }
}

/// Set on one thread, seen on another.
private final class Flag: @unchecked Sendable {
    private let condition = NSCondition()
    private var value = false
    private var isAcknowledged = false

    var isSet: Bool {
        condition.lock()
        defer { condition.unlock() }
        return value
    }

    /// Sets it and waits for the other thread to have seen it.
    func set() {
        condition.lock()
        value = true
        let limit = Date(timeIntervalSinceNow: 10)
        while !isAcknowledged, condition.wait(until: limit) {}
        condition.unlock()
    }

    func acknowledge() {
        condition.lock()
        isAcknowledged = true
        condition.signal()
        condition.unlock()
    }
}
