import Foundation
import TestSupport
import Testing

@testable import Client

struct EndpointTests {
    private func home(_ endpoint: String?) throws -> (TemporaryFolder, HubHome) {
        let folder = try TemporaryFolder("endpoint")
        try folder.write("core/token", "secret\n")
        if let endpoint { try folder.write("core/endpoint.json", endpoint) }
        return (folder, HubHome(path: folder.path))
    }

    private func mode(_ path: String, _ mode: Int) throws {
        try FileManager.default.setAttributes([.posixPermissions: mode], ofItemAtPath: path)
    }

    private func discover(_ home: HubHome, _ variables: [String: String] = [:]) throws(HubError) -> HubEndpoint {
        try HubEndpoint.discover(home: home, environment: { variables[$0] })
    }

    @Test("the written address is found, and no token goes to a port that nobody listens on")
    func file() throws {
        let (folder, home) = try home(#"{"host":"127.0.0.1","port":1,"pid":12,"version":"0.1.0","instanceId":"I"}"#)
        defer { withExtendedLifetime(folder) {} }
        #expect(
            try discover(home)
                == HubEndpoint(host: "127.0.0.1", port: 1, token: nil, pid: 12, version: "0.1.0", instanceId: "I"))
    }

    @Test("the token goes to a port that this user listens on")
    func token() async throws {
        let daemon = try await FakeDaemon { _ in }
        let (folder, home) = try home(#"{"host":"127.0.0.1","port":\#(daemon.port)}"#)
        defer { withExtendedLifetime(folder) {} }
        #expect(try discover(home).token == "secret")
    }

    @Test("the token never goes to another machine")
    func remote() throws {
        let (folder, home) = try home(nil)
        defer { withExtendedLifetime(folder) {} }
        let endpoint = try discover(home, ["CORE_HOST": "192.0.2.1", "CORE_PORT": "8080"])
        #expect(endpoint == HubEndpoint(host: "192.0.2.1", port: 8080))
    }

    @Test("port 0 is looked up in the file, another port is taken as it is")
    func variables() throws {
        let (folder, home) = try home(#"{"host":"127.0.0.1","port":1}"#)
        defer { withExtendedLifetime(folder) {} }
        #expect(try discover(home, ["CORE_PORT": "0"]).port == 1)
        #expect(try discover(home, ["CORE_PORT": "2"]).port == 2)
        #expect(try discover(home, ["CORE_PORT": "2", "CORE_HOST": "0.0.0.0"]).host == "127.0.0.1")
    }

    @Test("no file means no daemon")
    func none() throws {
        let (folder, home) = try home(nil)
        defer { withExtendedLifetime(folder) {} }
        #expect { try discover(home) } throws: { ($0 as? HubError)?.code == .noDaemon }
        #expect { try discover(HubHome(path: folder.path + "/nowhere")) } throws: {
            ($0 as? HubError)?.code == .noDaemon
        }
    }

    @Test(
        "a file that names no address is no daemon",
        arguments: [
            "", "{", "[]", "{}", #"{"host":"127.0.0.1"}"#, #"{"host":"127.0.0.1","port":0}"#,
            #"{"host":"127.0.0.1","port":65536}"#, #"{"host":"127.0.0.1","port":"80"}"#,
            #"{"host":"a\r\nx: y","port":80}"#, #"{"host":"","port":80}"#, #"{"host":"a/b","port":80}"#,
        ])
    func broken(text: String) throws {
        let (folder, home) = try home(text)
        defer { withExtendedLifetime(folder) {} }
        #expect { try discover(home) } throws: { ($0 as? HubError)?.code == .noDaemon }
    }

    @Test("what others can write is not believed", arguments: ["", "/core", "/core/endpoint.json"])
    func writable(name: String) throws {
        let (folder, home) = try home(#"{"host":"127.0.0.1","port":1}"#)
        try mode(folder.path + name, name.hasSuffix("json") ? 0o666 : 0o777)
        #expect { try discover(home) } throws: { ($0 as? HubError)?.code == .unsafeHome }
        try mode(folder.path + name, 0o700)
    }

    @Test("a token that others can read is not used")
    func readableToken() async throws {
        let daemon = try await FakeDaemon { _ in }
        let (folder, home) = try home(#"{"host":"127.0.0.1","port":\#(daemon.port)}"#)
        try mode(folder.path + "/core/token", 0o644)
        #expect { try discover(home) } throws: { ($0 as? HubError)?.code == .unsafeHome }
    }

    @Test("a link, a folder or a pipe in place of the file is refused")
    func links() throws {
        let (folder, home) = try home(nil)
        let file = folder.path + "/core/endpoint.json"
        try folder.write("real.json", #"{"host":"127.0.0.1","port":1}"#)
        try FileManager.default.createSymbolicLink(atPath: file, withDestinationPath: folder.path + "/real.json")
        #expect { try discover(home) } throws: { ($0 as? HubError)?.code == .unsafeHome }
        try FileManager.default.removeItem(atPath: file)
        #expect(mkfifo(file, 0o600) == 0)
        #expect { try discover(home) } throws: { ($0 as? HubError)?.code == .unsafeHome }
    }

    @Test("a file larger than any address is refused")
    func large() throws {
        let (folder, home) = try home(String(repeating: " ", count: 100_000))
        defer { withExtendedLifetime(folder) {} }
        #expect { try discover(home) } throws: { ($0 as? HubError)?.code == .unsafeHome }
    }

    @Test("the home is CODEAI_HUB_HOME, or below the person's own folder, and never relative")
    func standard() throws {
        #expect(try HubHome.standard { ["HOME": "/h"][$0] }.path == "/h/.codeai-hub")
        #expect(try HubHome.standard { ["HOME": "/h", "CODEAI_HUB_HOME": "/x"][$0] }.path == "/x")
        #expect { try HubHome.standard { ["CODEAI_HUB_HOME": "x"][$0] } } throws: { $0 is HubError }
        // As for the daemon: whoever has no HOME has what the list of users says.
        let listed = String(cString: try #require(getpwuid(getuid())?.pointee.pw_dir))
        #expect(try HubHome.standard { _ in nil }.path == listed + "/.codeai-hub")
    }

    @Test("listeners are read from the kernel's table")
    func table() {
        let table = """
              sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
               0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 1
               1: 0100007F:1F90 0100007F:A000 01 00000000:00000000 00:00000000 00000000  1001        0 2
               2: 0100007F:1F91 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 3
            """
        #expect(LoopbackListener.owners(of: 0x1f90, table: table) == [1000])
        #expect(LoopbackListener.owners(of: 1, table: table) == [])
    }
}
