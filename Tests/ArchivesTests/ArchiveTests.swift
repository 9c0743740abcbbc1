import Archives
import Foundation
import TestSupport
import Testing

/// Keeps what a reader hands out.
private final class Collector: TarReader.Receiver {
    var files: [(entry: TarEntry, bytes: [UInt8])] = []
    var ended = 0

    func begin(_ entry: TarEntry) { files.append((entry, [])) }
    func take(_ bytes: UnsafeRawBufferPointer) { files[files.count - 1].bytes.append(contentsOf: bytes) }
    func end() { ended += 1 }
}

@Suite struct ArchiveTests {
    private final class Output {
        var bytes: [UInt8] = []
    }

    private func pack(_ entries: [(TarEntry, [UInt8])]) throws -> [UInt8] {
        let output = Output()
        var writer = TarWriter { piece throws(ArchiveError) in output.bytes.append(contentsOf: piece) }
        for (entry, content) in entries { try writer.add(entry, content) }
        try writer.finish()
        return output.bytes
    }

    private func file(_ path: String, _ text: String = "") -> (TarEntry, [UInt8]) {
        (TarEntry(path: path, size: 0, permissions: 0o640, modified: 1_700_000_000), Array(text.utf8))
    }

    @discardableResult
    private func unpack(
        _ bytes: [UInt8], pieces: Int = 1000, limits: TarReader.Limits = .init(), allowing: TarReader.Allowances = []
    ) throws(ArchiveError) -> Collector {
        let collector = Collector()
        let reader = TarReader(limits: limits, allowing: allowing, receiver: collector)
        var start = 0
        while start < bytes.count {
            let end = min(bytes.count, start + pieces)
            try Array(bytes[start..<end]).withBytes { piece throws(ArchiveError) in try reader.feed(piece) }
            start = end
        }
        try reader.finish()
        return collector
    }

    private func code(_ body: () throws(ArchiveError) -> Void) -> ArchiveError.Code? {
        do throws(ArchiveError) { try body() } catch { return error.code }
        return nil
    }

    private func outcome(_ program: String, _ arguments: [String]) throws -> String {
        let ended = try run(program, arguments)
        guard ended.code == 0 else { throw TestFailure("\(program) \(arguments): \(ended.errors)") }
        return ended.output
    }

    @Test(arguments: [1, 7, 511, 100_000]) func whatIsWrittenIsRead(pieces: Int) throws {
        let long = "a/" + String(repeating: "long-name-", count: 20) + "/end"
        let large = (0..<200_000).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ $0 >> 7) }
        let entries = [
            file("one", "hello"), file("dir/empty"), file(long, "far away"),
            file("exact", String(repeating: "x", count: 1024)),
            (TarEntry(path: "large", size: 0, modified: 5), large),
        ]
        let packed = try pack(entries)
        let result = try unpack(packed, pieces: pieces)
        #expect(result.files.map(\.entry.path) == ["one", "dir/empty", long, "exact", "large"])
        #expect(result.files.map(\.bytes) == entries.map(\.1))
        #expect(result.files[0].entry.permissions == 0o640 && result.files[0].entry.modified == 1_700_000_000)
        #expect(result.ended == 5)
        // The same, byte for byte.
        #expect(try pack(entries) == packed)
    }

    @Test func otherProgramsReadIt() throws {
        let folder = try TemporaryFolder("archive")
        let long = "a/" + String(repeating: "long-name-", count: 20) + "/end"
        let packed = try pack([file("one", "hello\n"), file(long, "far\n")])
        try Data(packed).write(to: URL(fileURLWithPath: folder.path + "/a.tar.bz2"))
        let list = try outcome("tar", ["--numeric-owner", "-tvjf", folder.path + "/a.tar.bz2"])
        #expect(list.contains("-rw-r----- 0/0") && list.contains(long), "\(list)")
        #expect(try outcome("tar", ["-xjOf", folder.path + "/a.tar.bz2"]) == "hello\nfar\n")
        let python =
            "import tarfile,sys; t=tarfile.open(sys.argv[1]); print([(m.name,m.size,m.mtime,m.uid) for m in t])"
        let seen = try outcome("python3", ["-c", python, folder.path + "/a.tar.bz2"])
        #expect(seen.contains("('one', 6, 1700000000, 0)") && seen.contains(long), "\(seen)")
    }

    @Test func whatOtherProgramsWriteIsRead() throws {
        let folder = try TemporaryFolder("archive")
        let long = String(repeating: "long-name-", count: 6) + "/" + String(repeating: "long-name-", count: 6)
        try folder.write("in/one", "hello")
        try folder.write("in/sub/\(long)", "far")
        for format in ["ustar", "pax", "gnu"] {
            let path = folder.path + "/\(format).tar.bz2"
            _ = try outcome("tar", ["--format=\(format)", "-cjf", path, "-C", folder.path + "/in", "one", "sub"])
            let result = try unpack([UInt8](Data(contentsOf: URL(fileURLWithPath: path))))
            let contents = Dictionary(uniqueKeysWithValues: result.files.map { ($0.entry.path, $0.bytes) })
            #expect(contents["one"] == Array("hello".utf8) && contents["sub/" + long] == Array("far".utf8), "\(format)")
            #expect(result.files.contains { $0.entry.path == "sub" && $0.entry.kind == .folder })
        }
    }

    /// Archives that somebody made to do harm, by Python's tarfile, which lets one write anything.
    @Test(arguments: [
        ("absolute", #"add("/etc/passwd")"#, ArchiveError.Code.unsafe), ("parent", #"add("../escape")"#, .unsafe),
        ("inner parent", #"add("a/../../escape")"#, .unsafe), ("dots at the end", #"add("a/..")"#, .unsafe),
        ("empty part", #"add("a//b")"#, .unsafe), ("backslash", #"add("a\\..\\b")"#, .unsafe),
        ("newline", #"add("a\nb")"#, .unsafe), ("twice", #"add("a"); add("a")"#, .unsafe),
        ("twice in disguise", #"add("a"); add("./a")"#, .unsafe),
        ("symbolic link", #"link("a", tarfile.SYMTYPE)"#, .unsafe),
        ("hard link", #"link("a", tarfile.LNKTYPE)"#, .unsafe),
        ("device", #"link("a", tarfile.CHRTYPE)"#, .unsafe), ("fifo", #"link("a", tarfile.FIFOTYPE)"#, .unsafe),
        ("a long path that leads out", #"add("x/" * 80 + "../" * 90 + "escape")"#, .unsafe),
        ("too long a path", #"add("y" * 600)"#, .unsafe),
        ("a slash with an accent", #"add("..\N{SOLIDUS}\N{COMBINING ACUTE ACCENT}escape")"#, .unsafe),
        ("absolute with an accent", #"add("\N{SOLIDUS}\N{COMBINING ACUTE ACCENT}escape")"#, .unsafe),
        ("sparse", #"add("a", kind=tarfile.GNUTYPE_SPARSE)"#, .unsafe),
        ("sparse, newer", #"add("a", pax={"GNU.sparse.major": "1", "GNU.sparse.name": "b"})"#, .unsafe),
        (
            "headers for all",
            #"t.fileobj.write(tarfile.TarInfo.create_pax_global_header({"path": "b"})); add("a")"#, .unsafe
        ),
        ("a continuation", #"add("a", kind=b"M")"#, .unsafe),
        ("case", #"add("License"); add("LICENSE")"#, .unsafe),
        ("case of a folder", #"add("Sub/a"); add("sub/b")"#, .unsafe),
        ("case beyond ASCII", #"add("\u00c9"); add("\u00e9")"#, .unsafe),
        ("case by two letters", #"add("stra\u00dfe"); add("STRASSE")"#, .unsafe),
        ("an accent of its own", #"add("\u00e9"); add("e\u0301")"#, .unsafe),
        ("a file with something in it", #"add("a"); add("a/b")"#, .unsafe),
        ("deep in a file", #"add("a/b"); add("a/b/c/d")"#, .unsafe),
        ("a file where there is a folder", #"add("a/b"); add("a")"#, .unsafe),
        ("a folder where there is a file", #"add("a"); add("a/", 0, tarfile.DIRTYPE)"#, .unsafe),
        ("a folder twice", #"add("a/", 0, tarfile.DIRTYPE); add("a/", 0, tarfile.DIRTYPE)"#, .unsafe),
        ("too many folders", #"add("/".join("f%d" % i for i in range(110)))"#, .tooLarge),
        ("many headers before one", #"[t.fileobj.write(longname) for i in range(3)]"#, .damaged),
        ("zeros without end", #"[t.fileobj.write(bytes(1 << 20)) for i in range(2)]"#, .damaged),
        ("too many", #"[add("f%d" % i) for i in range(101)]"#, .tooLarge),
        ("too much", #"add("big", 2_000_000)"#, .tooLarge),
        ("too much in parts", #"[add("p%d" % i, 300_000) for i in range(9)]"#, .tooLarge),
    ]) func hostileArchivesAreRefused(name: String, program: String, expected: ArchiveError.Code) throws {
        let folder = try TemporaryFolder("hostile")
        let script = """
            import io, sys, tarfile
            t = tarfile.open(sys.argv[1], "w:bz2")
            def add(name, size=3, kind=tarfile.REGTYPE, pax={}):
                i = tarfile.TarInfo(name); i.size = size; i.type = kind; i.pax_headers = pax
                t.addfile(i, io.BytesIO(b"x" * size))
            def link(name, kind):
                i = tarfile.TarInfo(name); i.type = kind; i.linkname = "/etc/passwd"; t.addfile(i)
            longname = tarfile.TarInfo._create_header(
                {"name": "l", "type": b"L", "size": 512}, tarfile.GNU_FORMAT, "utf-8", "strict") + b"y" * 512
            \(program)
            t.close()
            """
        let path = folder.path + "/h.tar.bz2"
        _ = try outcome("python3", ["-c", script, path])
        var limits = TarReader.Limits()
        limits.entries = 100
        limits.bytes = 1_000_000
        let bytes = [UInt8](try Data(contentsOf: URL(fileURLWithPath: path)))
        let found = code { () throws(ArchiveError) in _ = try unpack(bytes, limits: limits) }
        #expect(found == expected)
    }

    /// A link is another name for a file that came before it, where the reader wants links at all.
    @Test func linksLeadToFilesBeforeThem() throws {
        func link(_ path: String, _ target: String) -> (TarEntry, [UInt8]) {
            (TarEntry(path: path, kind: .hardLink(to: target), size: 0, modified: 0), [])
        }
        let long = String(repeating: "long-name-", count: 12)
        let packed = try pack([file("one", "hello"), link("sub/two", "one"), file(long, "x"), link("four", long)])
        let entries = try unpack(packed, allowing: .hardLinks).files.map(\.entry)
        #expect(entries.map(\.kind) == [.file, .hardLink(to: "one"), .file, .hardLink(to: long)])
        #expect(code { () throws(ArchiveError) in _ = try unpack(packed) } == .unsafe)

        // Others write and read them, too.
        let folder = try TemporaryFolder("archive")
        try Data(packed).write(to: URL(fileURLWithPath: folder.path + "/a.tar.bz2"))
        let script = "tar -xjf a.tar.bz2 && [ one -ef sub/two ] && [ four -ef l* ] && tar -cjf b.tar.bz2 one sub/two"
        _ = try outcome("sh", ["-c", "cd \(folder.path) && \(script)"])
        let others = try Data(contentsOf: URL(fileURLWithPath: folder.path + "/b.tar.bz2"))
        let read = try unpack([UInt8](others), allowing: .hardLinks)
        #expect(read.files.map(\.entry.kind) == [.file, .hardLink(to: "one")])

        for (name, entries) in [
            ("nothing", [link("a", "one")]), ("later", [link("a", "one"), file("one")]),
            ("itself", [link("a", "a")]), ("another link", [file("one"), link("a", "one"), link("b", "a")]),
            ("a folder", [file("sub/one"), link("a", "sub")]),
            ("a file in other case", [file("one"), link("a", "ONE")]),
            ("an absolute path", [file("one"), link("a", "/one")]),
            ("outside", [file("one"), link("sub/a", "../one")]), ("a name taken", [file("one"), link("one", "one")]),
            ("what others lie in", [file("one"), link("a", "one"), file("a/b")]), ("no name", [link("a", "")]),
        ] {
            let packed = try pack(entries)
            let found = code { () throws(ArchiveError) in _ = try unpack(packed, allowing: .hardLinks) }
            #expect(found == .unsafe, "a link to \(name)")
        }
    }

    @Test func namesMayBeAlikeWhereThatIsWanted() throws {
        let packed = try pack([file("one"), file("One"), file("sub/a"), file("Sub/a")])
        #expect(try unpack(packed, allowing: .similarNames).files.count == 4)
        let folder = TarEntry(path: "sub", kind: .folder, size: 0, modified: 0)
        #expect(try unpack(pack([file("sub/a"), (folder, []), file("sub/b")])).files.count == 3)
    }

    /// Each costs 14 bytes to send, and much more to read.
    @Test func emptyStreamsComeToAnEnd() throws {
        let packed = try pack([file("one", "hello")])
        let empty = Bzip2Compressor().finish()
        #expect(try unpack(packed + empty).files.count == 1)
        var many = packed
        for _ in 0..<100 { many += empty }
        #expect(code { () throws(ArchiveError) in _ = try unpack(many) } == .tooLarge)
    }

    /// As programs write it that compress in parallel: a stream for every piece.
    @Test func streamsWithContentMayBeMany() throws {
        let folder = try TemporaryFolder("archive")
        let script = """
            import bz2, io, os, sys, tarfile
            plain = io.BytesIO(); t = tarfile.open(fileobj=plain, mode="w")
            i = tarfile.TarInfo("one"); i.size = 4_000_000; t.addfile(i, io.BytesIO(os.urandom(i.size))); t.close()
            data = plain.getvalue()
            open(sys.argv[1], "wb").write(b"".join(bz2.compress(data[p:p + 100_000]) for p in range(0, len(data), 100_000)))
            """
        _ = try outcome("python3", ["-c", script, folder.path + "/a.tar.bz2"])
        let bytes = [UInt8](try Data(contentsOf: URL(fileURLWithPath: folder.path + "/a.tar.bz2")))
        #expect(try unpack(bytes, pieces: 100_000).files.first?.bytes.count == 4_000_000)
    }

    /// A few kilobytes that unpack to a gigabyte end at the limit, with bounded memory.
    @Test func aBombEndsAtTheLimit() throws {
        let output = Output()
        var writer = TarWriter { piece throws(ArchiveError) in output.bytes.append(contentsOf: piece) }
        let size = 16 << 20
        try writer.begin(TarEntry(path: "bomb", size: size, modified: 0))
        let zeros = [UInt8](repeating: 0, count: 1 << 20)
        for _ in 0..<size / zeros.count {
            try zeros.withBytes { piece throws(ArchiveError) in try writer.write(piece) }
        }
        try writer.finish()
        #expect(output.bytes.count < 100_000)
        var limits = TarReader.Limits()
        limits.bytes = 1 << 20
        let found = code { () throws(ArchiveError) in _ = try unpack(output.bytes, limits: limits) }
        #expect(found == .tooLarge)
    }

    @Test func damageAnywhereIsFoundOut() throws {
        let packed = try pack([file("one", "hello"), file("two", String(repeating: "abc", count: 500))])
        // Cut at every byte.
        for end in 0..<packed.count {
            let found = code { () throws(ArchiveError) in _ = try unpack(Array(packed[..<end])) }
            #expect(found == .damaged, "cut at \(end)")
        }
        // A bit turned in every byte: refused, or of no consequence (the padding of bzip2's last byte).
        let whole = try unpack(packed).files.map(\.bytes)
        for place in packed.indices {
            var bytes = packed
            bytes[place] ^= 1 << UInt8(place % 8)
            do throws(ArchiveError) {
                let result = try unpack(bytes)
                #expect(result.files.map(\.bytes) == whole, "bit at \(place) changed what was read")
            } catch {
                #expect(error.code != .refused)
            }
        }
        #expect(code { () throws(ArchiveError) in _ = try unpack(packed + [1, 2, 3]) } == .damaged)
        #expect(code { () throws(ArchiveError) in _ = try unpack([]) } == .damaged)
    }

    /// Headers of any content: nothing traps.
    @Test func anyBytesAreTaken() throws {
        var generator = SystemRandomNumberGenerator()
        for round in 0..<300 {
            var tar = [UInt8](repeating: 0, count: 512 * Int.random(in: 1...4))
            for _ in 0..<Int.random(in: 0...60) {
                tar[Int.random(in: 0..<tar.count)] = UInt8.random(in: 0...255, using: &generator)
            }
            if round % 2 == 0 {
                // One whose checksum is right, so that more is looked at.
                tar.replaceSubrange(257..<263, with: Array("ustar\u{0}".utf8))
                tar[156] = Array("0x5L27".utf8).randomElement()!
                tar.replaceSubrange(148..<156, with: [UInt8](repeating: 0x20, count: 8))
                let sum = String(tar[..<512].reduce(0) { $0 + Int($1) }, radix: 8)
                tar.replaceSubrange(148..<148 + sum.utf8.count, with: Array(sum.utf8))
                tar[148 + sum.utf8.count] = 0
            }
            let compressor = Bzip2Compressor()
            let packed = tar.withUnsafeBytes { compressor.compress($0) } + compressor.finish()
            _ = code { () throws(ArchiveError) in _ = try unpack(packed) }
        }
    }
}
