import Digests
import Downloads
import Foundation
import TestSupport
import Testing

/// Who is believed to be who they say.
@Suite struct TLSTests {
    let authority: Authority

    init() throws { authority = try Authority.shared.get() }

    @Test func aServerThatIsWhoItSays() throws {
        for host in ["localhost", "127.0.0.1"] {
            let about = try authority.fetch(host, "right", "/about")
            let sni = host == "localhost" ? "\"localhost\"" : "null"
            let port = try #require(authority.ports["right"])
            #expect(about == "[\(sni), \"http/1.1\", \"TLSv1.3\", \"\(host):\(port)\"]")
        }
        #expect(try authority.fetch("localhost", "tls12", "/about").contains("TLSv1.2"))
    }

    @Test(arguments: [
        ("localhost", "other name", "for another name than localhost"),
        ("127.0.0.1", "other name", "for another name than 127.0.0.1"),
        // A name in it is no address, and an address is no name.
        ("127.0.0.1", "name alone", "for another name than 127.0.0.1"),
        ("localhost", "common name alone", "for another name than localhost"),
        (
            "localhost", "expired",
            "(it is valid from 2020-01-01T00:00:00.000Z to 2021-01-01T00:00:00.000Z). This machine's clock says 20"
        ),
        (
            "localhost", "not yet",
            "isn't valid yet (it is valid from 2090-01-01T00:00:00.000Z to 2091-01-01T00:00:00.000Z). This"
        ),
        ("localhost", "self-signed", "nobody this machine trusts"),
        ("localhost", "unknown", "nobody this machine trusts"),
        ("localhost", "tls11", "no TLS 1.2"),
        ("localhost", "plain", "is it an https server?"),
    ])
    func aServerThatIsNot(host: String, server: String, message: String) throws {
        let error = #expect(throws: DownloadError.self) { try authority.fetch(host, server, "/file") }
        #expect(error?.code == .tls)
        #expect(error?.message.contains(message) == true, "\(String(describing: error))")
    }

    @Test func oneThatClosesInTheMiddle() throws {
        let error = #expect(throws: DownloadError.self) { try authority.fetch("localhost", "closing", "/file") }
        #expect(error?.code == .unreachable)
    }

    /// A name that is right by the system's certificates isn't by others, and the other way round.
    @Test func whoseWordIsTaken() throws {
        for (environment, message) in [
            (["SSL_CERT_FILE": authority.path("unknown-ca.pem")], "nobody this machine trusts"),
            (["SSL_CERT_FILE": "/nowhere.pem"], "SSL_CERT_FILE names /nowhere.pem"),
            (["SSL_CERT_FILE": authority.path("content")], "holds no certificate"),
            (["SSL_CERT_DIR": "/nowhere:/neither"], "SSL_CERT_DIR names /nowhere:/neither"),
            (["SSL_CERT_DIR": authority.folder.path], "nobody this machine trusts"),
        ] {
            let error = #expect(throws: DownloadError.self) {
                try authority.fetch("localhost", "right", "/file", environment: environment)
            }
            #expect(error?.code == .tls)
            #expect(error?.message.contains(message) == true, "\(String(describing: error))")
        }
        // The system's own store, where there is one, doesn't know the authority of this test.
        #expect(throws: DownloadError.self) { try authority.fetch("localhost", "right", "/file", environment: [:]) }
        let folder = ["SSL_CERT_DIR": "/nowhere:" + authority.path("hashed")]
        #expect(try authority.fetch("localhost", "right", "/about", environment: folder).contains("http/1.1"))
    }

    /// An end that wasn't announced is a cut, by whomever.
    @Test(arguments: ["/cut", "/closecut", "/close", "/file"]) func filesAndCuts(path: String) throws {
        let fixture = try Fixture(size: 1)
        let port = try #require(authority.ports["right"])
        let location = try Location("https://localhost:\(port)\(path)")
        let downloader = Downloader(limits: fixture.limits, userAgent: "test/1", environment: authority.environment)
        try downloader.fetch(
            [location], to: fixture.file, size: authority.content.count, sha256: sha256(authority.content))
        #expect(fixture.contents(fixture.file) == authority.content)
        if path != "/file" {
            let error = Result { try downloader.fetch(location, limit: 1 << 20) }
            #expect((try? error.get()) == (path == "/close" ? authority.content : nil))
        }
    }

    @Test func downToHTTPIsNotGone() throws {
        let error = #expect(throws: DownloadError.self) { try authority.fetch("localhost", "right", "/down") }
        #expect(error?.code == .invalidLocation)
        #expect(error?.message.contains("from https to http isn't followed") == true)
    }

    // MARK: Proxies

    @Test func throughAProxy() throws {
        let proxy = try #require(authority.ports["proxy"])
        var environment = authority.environment
        environment["HTTPS_PROXY"] = "http://127.0.0.1:\(proxy)"
        let about = try authority.fetch("releases.test", "443", "/about", environment: environment)
        #expect(about == "[\"releases.test\", \"http/1.1\", \"TLSv1.3\", \"releases.test\"]")
        let log = try #require(authority.folder.read("proxy.log"))
        #expect(log.contains("CONNECT releases.test:443 HTTP/1.1\r\nhost: releases.test:443\r\n"))
        // The lower-case name comes first, as with curl; a proxy may be written without its scheme.
        environment["https_proxy"] = "127.0.0.1:\(proxy)"
        environment["HTTPS_PROXY"] = "http://127.0.0.1:1"
        #expect(try authority.fetch("releases.test", "443", "/about", environment: environment) == about)
        // Who is behind it has to prove who it is all the same.
        let error = #expect(throws: DownloadError.self) {
            try authority.fetch("other.test", "443", "/about", environment: environment)
        }
        #expect(error?.code == .tls)
    }

    @Test func aProxyThatWantsALogin() throws {
        let proxy = try #require(authority.ports["login proxy"])
        var environment = authority.environment
        environment["ALL_PROXY"] = "http://127.0.0.1:\(proxy)/"
        let error = #expect(throws: DownloadError.self) {
            try authority.fetch("releases.test", "443", "/about", environment: environment)
        }
        #expect(error?.code == .refused(status: 407))
        environment["ALL_PROXY"] = "http://me:a%20b@127.0.0.1:\(proxy)/"
        #expect(
            try authority.fetch("releases.test", "443", "/about", environment: environment).contains("releases.test"))
    }

    @Test(arguments: ["socks5://127.0.0.1:1080", "https://127.0.0.1:1", "http://", "http://a b", "http://x:secret@/"])
    func whatIsNoProxy(text: String) throws {
        let error = #expect(throws: DownloadError.self) {
            try authority.fetch("releases.test", "443", "/about", environment: ["HTTPS_PROXY": text])
        }
        #expect(error?.code == .invalidLocation)
        #expect(error?.message.contains("secret") == false)
    }

    /// This machine, and what NO_PROXY names, are asked directly: nobody listens on the proxy's port.
    @Test(arguments: ["*", "releases.test", "RELEASES.test", ".test", "test", "x, releases.test:443", "*.test"])
    func exceptions(text: String) throws {
        var environment = [
            "HTTPS_PROXY": "http://127.0.0.1:1", "NO_PROXY": text, "SSL_CERT_FILE": authority.path("ca.pem"),
        ]
        #expect(try authority.fetch("localhost", "right", "/about", environment: environment).contains("http/1.1"))
        // Directly means: by a name that isn't there.
        let direct = #expect(throws: DownloadError.self) {
            try authority.fetch("releases.test", "443", "/about", environment: environment)
        }
        #expect(direct?.message.contains("releases.test") == true)
        environment["NO_PROXY"] = "releases.test:444,eleases.test,other.test"
        let byProxy = #expect(throws: DownloadError.self) {
            try authority.fetch("releases.test", "443", "/about", environment: environment)
        }
        #expect(byProxy?.message == "the proxy 127.0.0.1:1 can't be reached: Connection refused")
    }
}

/// An authority that exists for these tests, what it has vouched for, and servers that show it.
final class Authority: @unchecked Sendable {
    static let shared = Result { try Authority() }

    let folder: TemporaryFolder
    let content = (0..<300_000).map { UInt8(truncatingIfNeeded: $0 &* 13 >> 2) }
    private(set) var ports: [String: UInt16] = [:]
    private var servers: RunningProgram?
    var environment: [String: String] { ["SSL_CERT_FILE": path("ca.pem")] }

    init() throws {
        folder = try TemporaryFolder("authority")
        try Data(content).write(to: URL(filePath: path("content")))
        try folder.write("ca.cnf", Self.configuration)
        for name in ["ca", "unknown-ca"] {
            try openssl(
                "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "30",
                "-subj",
                "/CN=\(name)", "-keyout", "\(name).key", "-out", "\(name).pem")
        }
        try openssl("genpkey", "-algorithm", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", "leaf.key")
        let local = "DNS:localhost,IP:127.0.0.1"
        try issue("right", local)
        try issue("released", "DNS:releases.test")
        try issue("other name", "DNS:example.com,IP:127.0.0.2,DNS:*.localhost,DNS:localhost.example.com")
        try issue("name alone", "DNS:localhost,DNS:127.0.0.1")
        try issue("common name alone", "DNS:example.com", subject: "localhost")
        try issue("expired", local, from: "20200101000000Z", to: "20210101000000Z")
        try issue("not yet", local, from: "20900101000000Z", to: "20910101000000Z")
        try issue("unknown", local, by: "unknown-ca")
        try openssl(
            "req", "-x509", "-key", "leaf.key", "-days", "30", "-subj", "/CN=localhost", "-addext",
            "subjectAltName=\(local)", "-out", "self-signed.pem")
        try FileManager.default.createDirectory(atPath: path("hashed"), withIntermediateDirectories: true)
        try FileManager.default.copyItem(atPath: path("ca.pem"), toPath: path("hashed/ca.pem"))
        try openssl("rehash", "hashed")
        try startServers()
    }

    func path(_ name: String) -> String { folder.path + "/" + name }

    /// - Parameter server: a name of one, or a port.
    func fetch(
        _ host: String, _ server: String, _ path: String, environment: [String: String]? = nil
    ) throws(DownloadError) -> String {
        let port = ports[server].map { ":\($0)" } ?? (server == "443" ? "" : ":\(server)")
        var limits = DownloadLimits()
        limits.connectTimeout = .seconds(20)
        let downloader = Downloader(limits: limits, userAgent: "test/1", environment: environment ?? self.environment)
        return String(
            decoding: try downloader.fetch(Location("https://\(host)\(port)\(path)"), limit: 1 << 20), as: UTF8.self)
    }

    private func issue(
        _ name: String, _ names: String, subject: String = "somebody", from: String = "20200101000000Z",
        to: String = "20900101000000Z", by authority: String = "ca"
    ) throws {
        try openssl(
            "req", "-new", "-key", "leaf.key", "-subj", "/CN=\(subject)", "-addext", "subjectAltName=\(names)", "-out",
            "request")
        try openssl(
            "ca", "-batch", "-config", "ca.cnf", "-in", "request", "-out", "\(name).pem", "-notext", "-cert",
            "\(authority).pem", "-keyfile", "\(authority).key", "-startdate", from, "-enddate", to)
    }

    private func openssl(_ arguments: String...) throws {
        if !FileManager.default.fileExists(atPath: path("index.txt")) { try folder.write("index.txt", "") }
        let result = try run("openssl", arguments, in: folder.path)
        guard result.code == 0 else { throw TestFailure("openssl \(arguments): \(result.text)") }
    }

    private func startServers() throws {
        var list: [[String: String]] = [
            ["name": "right", "certificate": "right.pem", "kind": "tls"],
            ["name": "released", "certificate": "released.pem", "kind": "tls"],
            ["name": "tls12", "certificate": "right.pem", "kind": "tls", "version": "TLSv1_2"],
            ["name": "tls11", "certificate": "right.pem", "kind": "tls", "version": "TLSv1_1"],
            ["name": "plain", "kind": "plain"], ["name": "closing", "kind": "closing"],
            ["name": "proxy", "kind": "proxy", "target": "released"],
            ["name": "login proxy", "kind": "proxy", "target": "released", "login": "Basic bWU6YSBi"],
        ]
        for name in ["other name", "name alone", "common name alone", "expired", "not yet", "unknown", "self-signed"] {
            list.append(["name": name, "certificate": "\(name).pem", "kind": "tls"])
        }
        try JSONSerialization.data(withJSONObject: list).write(to: URL(filePath: path("servers.json")))
        let script = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "tls_server.py").path()
        let program = try RunningProgram("python3", ["-W", "ignore", script, folder.path])
        servers = program
        try eventually("the TLS servers run", within: .seconds(30)) {
            guard program.isRunning else { throw TestFailure("tls_server.py: \(program.soFar.text)") }
            return program.soFar.output.hasSuffix("\n")
        }
        ports = try JSONDecoder().decode([String: UInt16].self, from: Data(program.soFar.bytes))
    }

    private static let configuration = """
        [ca]
        default_ca = authority
        [authority]
        database = index.txt
        new_certs_dir = .
        default_md = sha256
        policy = policy
        unique_subject = no
        rand_serial = yes
        copy_extensions = copy
        [policy]
        commonName = supplied

        """
}
