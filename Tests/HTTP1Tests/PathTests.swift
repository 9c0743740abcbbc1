import HTTP1
import Testing

@Suite struct PathTests {
    @Test(arguments: [
        ("/", [], true), ("/a", ["a"], false), ("/a/b/", ["a", "b"], true), ("/a%20b/%C3%A9", ["a b", "é"], false),
        ("/...", ["..."], false), ("/a+b", ["a+b"], false), ("/%2e%2e%2e", ["..."], false),
    ])
    func good(path: String, segments: [String], slash: Bool) throws {
        let parsed = try PathSegments(path)
        #expect(parsed.segments == segments)
        #expect(parsed.hasTrailingSlash == slash)
    }

    @Test(arguments: [
        "", "a", "*", "//", "/a//b", "/.", "/..", "/a/../b", "/a/..", "/%2e%2E", "/.%2e", "/%2e", "/a%2fb", "/a%2Fb",
        "/a%5cb", "/a\\b", "/%00", "/a%0ab", "/%7f", "/%", "/%4", "/%zz", "/%c0%af", "/%ff", "/%ed%a0%80",
    ])
    func bad(path: String) {
        #expect(throws: PathSegments.Invalid.self) { try PathSegments(path) }
    }

    @Test func queries() throws {
        let query = try QueryItems("a=1&b=two+words&&c=%26%3D&d&a=2&=x")
        #expect(query["a"] == "1")
        #expect(query["b"] == "two words")
        #expect(query["c"] == "&=")
        #expect(query["d"] == "")
        #expect(query["e"] == nil)
        #expect(query.items.filter { $0.name == "a" }.map(\.value) == ["1", "2"])
        #expect(try QueryItems(nil).items.isEmpty)
        for bad in ["a=%", "a=%ff", "%zz=1"] {
            #expect(throws: QueryItems.Invalid.self) { try QueryItems(bad) }
        }
        #expect(throws: QueryItems.Invalid.self) {
            try QueryItems(String(repeating: "a&", count: 101))
        }
    }

    @Test func encodingAndBack() {
        let text = "a b/ü%~-._&=+"
        let encoded = PercentEncoding.encode(text)
        #expect(encoded == "a%20b%2F%C3%BC%25~-._%26%3D%2B")
        #expect(PercentEncoding.decode(encoded.utf8) == Array(text.utf8))
    }

    @Test func headerValues() {
        var headers: HTTPHeaders = ["A": "1", "b": "x, Close ,y", "a": "2"]
        #expect(headers.values("A") == ["1", "2"])
        #expect(headers.contains(token: "close", in: "B"))
        #expect(!headers.contains(token: "clos", in: "b"))
        headers.set("a", "3")
        #expect(headers.values("a") == ["3"])
        #expect(headers.pairs.map(\.name) == ["b", "a"])
        headers.remove("B")
        #expect(!headers.contains("b"))
        #expect(headers == ["a": "3"])
    }
}
