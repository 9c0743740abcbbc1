import Downloads
import Testing

/// What is an address of something that is fetched, and where it may lead.
@Suite struct LocationTests {
    @Test(arguments: [
        ("https://example.com", "https://example.com/"),
        ("HTTPS://Example.COM:443/a/b?c=d#e", "https://example.com/a/b?c=d"),
        ("https://example.com:8443?x", "https://example.com:8443/?x"),
        ("https://[2001:DB8::1]:8443/a", "https://[2001:db8::1]:8443/a"),
        ("https://192.0.2.7/%41", "https://192.0.2.7/%41"),
        ("http://127.0.0.1:8080/a", "http://127.0.0.1:8080/a"),
        ("http://localhost/a", "http://localhost/a"),
        ("http://[::1]/a", "http://[::1]/a"),
        ("file:///srv/a%20b/c", "file:///srv/a%20b/c"),
        ("file://localhost/srv", "file:///srv"),
    ])
    func read(text: String, description: String) throws {
        let location = try Location(text)
        #expect(location.description == description)
        #expect(try Location(description) == location)
    }

    @Test(arguments: [
        "", "x", "/srv/x", "example.com/x", "ftp://example.com/", "https:/example.com", "https:///x", "https://",
        "://x",
        "http://example.com/", "http://10.0.0.1/", "http://169.254.169.254/latest", "http://[2001:db8::1]/",
        "http://localhost.example.com/", "http://127.0.0.1.example.com/", "http://0.0.0.0/", "http://[::]/",
        // Other spellings of 127.0.0.1.
        "http://127.1/", "http://2130706433/", "http://0x7f.0.0.1/", "http://0177.0.0.1/", "http://127.0.0.1./",
        "http://[::ffff:127.0.0.1]/", "http://localhost./",
        "https://user@example.com/", "https://user:password@example.com/", "http://example.com@127.0.0.1/",
        "http://127.0.0.1@example.com/",
        "https://exa mple.com/", "https://example.com/a b", "https://example.com/\u{e9}", "https://example.com/\r\nx",
        "https://ex\\ample.com/", "https://example.com\\@127.0.0.1/", "https://-/\u{0}", "https://a..b/", "https://.a/",
        "https://example.com:0/", "https://example.com:65536/", "https://example.com:+1/", "https://example.com:/",
        "https://example.com:80:80/", "https://[::1/", "https://[::1]x/", "https://[127.0.0.1]/",
        "https://[fe80::1%25e]/",
        "https://example.com/%", "https://example.com/%4", "https://example.com/%zz",
        "file://srv/x", "file:srv/x", "file:////\u{0}", "file:///a%00b", "file:///a?b", "file:///%ff",
    ])
    func refused(text: String) {
        let error = #expect(throws: DownloadError.self) { try Location(text) }
        #expect(error?.code == .invalidLocation)
        let isOneLine = error?.message.utf8.allSatisfy { $0 >= 0x20 } ?? false
        #expect(isOneLine)
        #expect(error?.message.contains("user:") == false, "a password is shown")
    }

    @Test func tooLong() {
        #expect(throws: DownloadError.self) { try Location("https://a/" + String(repeating: "a", count: 9000)) }
    }

    @Test func files() throws {
        let location = try Location(file: "/srv/a b/100%?#\u{e9}")
        #expect(location.description == "file:///srv/a%20b/100%25%3F%23%C3%A9")
        #expect(location.filePath == "/srv/a b/100%?#\u{e9}")
        #expect(throws: DownloadError.self) { try Location(file: "srv") }
    }

    /// The examples of RFC 3986 section 5.4, as far as they name what is fetched.
    @Test(arguments: [
        ("g", "https://a/b/c/g"), ("./g", "https://a/b/c/g"), ("g/", "https://a/b/c/g/"), ("/g", "https://a/g"),
        ("//g", "https://g/"), ("?y", "https://a/b/c/d?y"), ("g?y", "https://a/b/c/g?y"), ("#s", "https://a/b/c/d?q"),
        ("g#s", "https://a/b/c/g"), ("", "https://a/b/c/d?q"), (".", "https://a/b/c/"), ("./", "https://a/b/c/"),
        ("..", "https://a/b/"), ("../", "https://a/b/"), ("../g", "https://a/b/g"), ("../..", "https://a/"),
        ("../../g", "https://a/g"), ("../../../g", "https://a/g"), ("/./g", "https://a/g"), ("/../g", "https://a/g"),
        ("g.", "https://a/b/c/g."), ("..g", "https://a/b/c/..g"), ("./g/.", "https://a/b/c/g/"),
        ("g/../h", "https://a/b/c/h"), ("g?y/../x", "https://a/b/c/g?y/../x"), ("https://h/x", "https://h/x"),
    ])
    func resolved(reference: String, result: String) throws {
        #expect(try Location("https://a/b/c/d?q").appending(reference).description == result)
    }

    /// What is less trusted is never led to.
    @Test(arguments: [
        ("https://a/x", "http://127.0.0.1/x"), ("https://a/x", "file:///etc/passwd"), ("https://a/x", "http://b/x"),
        ("http://127.0.0.1/x", "file:///etc/passwd"), ("http://127.0.0.1/x", "http://192.168.0.1/x"),
        ("http://127.0.0.1/x", "//192.168.0.1/x"), ("https://a/x", "javascript:alert(1)"), ("https://a/x", "ftp://b/x"),
        ("https://a/x", "//u:p@b/x"), ("https://a/x", " /x"), ("https://a/x", "/\u{7f}"),
    ])
    func notLedTo(from: String, to: String) throws {
        let location = try Location(from)
        #expect(throws: DownloadError.self) { try location.appending(to) }
    }

    @Test func folders() throws {
        #expect(try Location("https://a/b?q").asFolder.description == "https://a/b/")
        #expect(try Location("https://a/b/").asFolder.appending("c").description == "https://a/b/c")
        #expect(try Location(file: "/srv/r 1").asFolder.appending("a%20b").filePath == "/srv/r 1/a b")
        #expect(try Location("file:///srv/manifest.json").appending("https://a/b/").description == "https://a/b/")
        #expect(try Location("http://127.0.0.1/x").appending("https://a/b").description == "https://a/b")
    }
}
