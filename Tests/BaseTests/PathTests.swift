import Base
import Foundation
import TestSupport
import Testing

/// Where a path ends its parts is at a byte, as for the kernel. To Swift a `/` before a combining mark is no `/`.
@Suite struct PathTests {
    private let mark = "\u{301}"

    @Test func partsAreThoseOfTheKernel() {
        #expect("/a".isAbsolutePath && "/\(mark)".isAbsolutePath)
        #expect(!"a/b".isAbsolutePath && !"".isAbsolutePath)
        #expect("/a/b".parentPath == "/a" && "/a".parentPath == "/" && "a".parentPath == nil)
        #expect("/a/\(mark)b".parentPath == "/a")
        #expect("/a/b".lastPathPart == "b" && "b".lastPathPart == "b" && "/a/".lastPathPart == "")
        #expect("/a/\(mark)b".lastPathPart == "\(mark)b")
        #expect("a//b".pathParts == ["a", "", "b"])
        #expect("../\(mark)..".pathParts == ["..", "\(mark).."])
    }

    @Test func noFolderIsLookedPast() throws {
        let folder = try TemporaryFolder("marks")
        let open = folder.path + "/\(mark)open"
        try makeDirectories(open + "/\(mark)home")
        #expect(isDirectory(open + "/\(mark)home"))
        #expect(chmod(open, 0o777) == 0)
        #expect(untrustedAncestor(of: open + "/\(mark)home") == open)
    }

    @Test func theHomeIsFoundAsTheDaemonFindsIt() throws {
        func home(_ variables: [String: String]) throws -> String { try HomeFolder.ofHub { variables[$0] } }
        #expect(try home(["HOME": "/h"]) == "/h/.codeai-hub")
        #expect(try home(["HOME": "/"]) == "/.codeai-hub")
        #expect(try home(["HOME": "/h", "CODEAI_HUB_HOME": "/x"]) == "/x")
        #expect(throws: HomeFolder.Missing.self) { try home(["HOME": "/h", "CODEAI_HUB_HOME": "x"]) }
        // A service may have no HOME, or none to speak of: then the list of users says it.
        let listed = String(cString: try #require(getpwuid(getuid())?.pointee.pw_dir))
        for variables in [[:], ["HOME": ""], ["HOME": "relative"]] {
            #expect(try home(variables) == listed + "/.codeai-hub")
        }
    }
}
