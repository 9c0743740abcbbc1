import Base
import Foundation
import TestSupport
import Testing

/// Folders in which somebody else could put something in another's place.
@Suite struct FolderTrustTests {
    private func folders() throws -> (TemporaryFolder, String) {
        let folder = try TemporaryFolder("trust")
        try FileManager.default.createDirectory(
            atPath: folder.path + "/a/b/home", withIntermediateDirectories: true, attributes: [.posixPermissions: 0o755]
        )
        return (folder, folder.path + "/a/b/home")
    }

    @Test func ownFoldersAreTrusted() throws {
        let (folder, home) = try folders()
        #expect(untrustedAncestor(of: home) == nil)
        #expect(untrustedAncestor(of: home + "/not/there/yet") == nil)
        // The home itself is somebody else's matter.
        #expect(chmod(home, 0o777) == 0)
        #expect(untrustedAncestor(of: home) == nil)
        #expect(untrustedAncestor(of: folder.path) == nil)
        #expect(untrustedAncestor(of: "/") == nil)
    }

    @Test(arguments: [("/a", 0o777), ("/a/b", 0o757), ("/a/b", 0o702)])
    func whatOthersMayWriteToIsNot(name: String, mode: Int) throws {
        let (folder, home) = try folders()
        #expect(chmod(folder.path + name, mode_t(mode)) == 0)
        #expect(untrustedAncestor(of: home) == folder.path + name)
        #expect(chmod(folder.path + name, mode_t(mode) | 0o1000) == 0)
        #expect(untrustedAncestor(of: home) == nil)
    }

    @Test func linksAreFollowedToWhereTheyLead() throws {
        let (folder, home) = try folders()
        #expect(symlink(folder.path + "/a", folder.path + "/link") == 0)
        #expect(untrustedAncestor(of: folder.path + "/link/b/home") == nil)
        #expect(chmod(folder.path + "/a", 0o777) == 0)
        #expect(untrustedAncestor(of: folder.path + "/link/b/home") != nil)
        _ = home
    }

    @Test(.enabled(if: geteuid() == 0, "only root can give folders away"))
    func othersFoldersAreNot() throws {
        let (folder, home) = try folders()
        #expect(lchown(folder.path + "/a", 4711, 4711) == 0)
        #expect(untrustedAncestor(of: home) == folder.path + "/a")
        // One of a group that this user's is not.
        #expect(lchown(folder.path + "/a", geteuid(), 4711) == 0)
        #expect(chmod(folder.path + "/a", 0o770) == 0)
        #expect(untrustedAncestor(of: home) == folder.path + "/a")
    }
}
