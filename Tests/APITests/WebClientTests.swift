import Foundation
import TestSupport
import Testing

@testable import API

/// The web client is inside the program, all of it and nothing else.
@Suite struct WebClientTests {
    private static let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().appendingPathComponent("assets/web").path

    @Test func everyFileIsEmbeddedAsItIs() throws {
        let names = try FileManager.default.subpathsOfDirectory(atPath: Self.folder).filter {
            var isFolder: ObjCBool = false
            return FileManager.default.fileExists(atPath: "\(Self.folder)/\($0)", isDirectory: &isFolder)
                && !isFolder.boolValue
        }
        #expect(names.contains("index.html"))
        // The style sheets are one file in the program.
        let (styles, others) = (names.filter { $0.hasSuffix(".css") }, names.filter { !$0.hasSuffix(".css") })
        let paths = Set(others.map { $0 == "index.html" ? "/" : "/web/\($0)" } + ["/web/css/client.css"])
        #expect(Set(WebClient.files.keys) == paths, "run scripts/embed-web.py and build again")
        for name in others {
            let path = name == "index.html" ? "/" : "/web/\(name)"
            let embedded = WebClient.files[path].map { Data($0) }
            #expect(try embedded == contents(name), "\(name): build again")
        }
        let style = try #require(WebClient.files["/web/css/client.css"].map { Data($0) })
        var bytes = 0
        for name in styles {
            let sheet = try contents(name)
            #expect(style.range(of: sheet) != nil, "\(name): build again")
            bytes += sheet.count
        }
        #expect(style.count == bytes)
    }

    private func contents(_ name: String) throws -> Data {
        try Data(contentsOf: URL(fileURLWithPath: "\(Self.folder)/\(name)"))
    }

    @Test func everyFileHasATypeThatBrowsersTake() {
        for path in WebClient.files.keys {
            #expect(WebClient.contentType(of: path) != "application/octet-stream", "\(path)")
        }
    }

    @Test func nothingElseHasAPath() {
        let client = WebClient()
        for path in [
            "", "/web", "/web/", "/web/index.html", "//", "/web/../index.html", "/web/..%2f", "/web//", "/index.html",
            "/WEB/", "/web/%69ndex.html", "/web/\u{0}",
        ] {
            #expect(client.document(at: path) == nil, "\(path)")
        }
        #expect(client.document(at: "/") === client.document(at: "/"), "made once")
    }
}
