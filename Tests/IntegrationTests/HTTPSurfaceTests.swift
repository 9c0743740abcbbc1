import Foundation
import JSON
import TestSupport
import Testing

/// What every route has in common, and the description that is served. About 3 s.
@Suite struct HTTPSurfaceTests {
    private static let repository = URL(fileURLWithPath: #filePath)
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()

    @Test func theDescriptionIsServedAsItIsInTheRepository() throws {
        let daemon = try TestDaemon.running()
        let file = try Data(contentsOf: Self.repository.appendingPathComponent("doc/openapi.json"))
        let path = "/api/v1/openapi.json"
        let whole = try daemon.http("GET", path)
        #expect(whole.status == 200)
        #expect(whole.body == Array(file))
        #expect(whole["Content-Type"] == "application/json")
        let tag = try #require(whole["ETag"])

        let again = try daemon.http("GET", path, headers: [("If-None-Match", tag)])
        #expect(again.status == 304)
        #expect(again.body.isEmpty)
        #expect(again["ETag"] == tag)
        #expect(again["Date"] != nil)
        #expect(try daemon.http("GET", path, headers: [("If-None-Match", "\"other\"")]).status == 200)

        let packed = try daemon.http("GET", path, headers: [("Accept-Encoding", "gzip")])
        #expect(packed["Content-Encoding"] == "gzip")
        #expect(packed["Vary"]?.lowercased().contains("accept-encoding") == true)
        #expect(packed["ETag"] != tag, "another coding, another entity tag")
        #expect(packed.body.count < whole.body.count / 4)
        #expect(packed.body.starts(with: [0x1f, 0x8b]))
    }

    /// HEAD is GET without the body; OPTIONS says what there is; anything else is refused with the same list.
    @Test func methodsOfEveryPath() throws {
        let daemon = try TestDaemon.running()
        let session = try daemon.newSession()
        let document = try daemon.call("GET", "/openapi.json")
        for (template, item) in try #require(document["paths"]?.objectValue) where template != "/stream" {
            let path =
                "/api/v1"
                + template.replacingOccurrences(of: "{id}", with: session)
                .replacingOccurrences(of: "{providerId}", with: "echo")
                .replacingOccurrences(of: "{turnId}", with: "t1").replacingOccurrences(of: "{requestId}", with: "r1")
            let methods = Set((item.objectValue ?? [:]).map { $0.key.uppercased() })
            let all = methods.union(["OPTIONS"]).union(methods.contains("GET") ? ["HEAD"] : [])
            func allowed(_ response: RawResponse) -> Set<String> {
                Set((response["Allow"] ?? "").split(separator: ",").map { $0.drop { $0 == " " } }.map(String.init))
            }
            let options = try daemon.http("OPTIONS", path)
            #expect(options.status == 204, "\(path)")
            #expect(allowed(options) == all, "\(path)")
            let other = try daemon.http(methods.contains("PUT") ? "PATCH" : "PUT", path, "x")
            #expect(other.status == 405 && other.errorCode == "method_not_allowed", "\(path)")
            #expect(allowed(other) == all, "\(path)")
            guard methods.contains("GET") else { continue }
            let get = try daemon.http("GET", path)
            let head = try daemon.http("HEAD", path)
            #expect(head.status == get.status, "\(path)")
            #expect(head.body.isEmpty)
            #expect(head["Content-Type"] == get["Content-Type"], "\(path)")
            #expect(get["Date"] != nil && get["Connection"] == "close", "\(path)")
            let isFramed = get["Content-Length"] == "\(get.body.count)" || get["Transfer-Encoding"] == "chunked"
            #expect(isFramed, "\(path)")
            // A parameter that nobody knows is refused.
            let unknown = try daemon.http("GET", path + "?nobody=1")
            #expect(unknown.status == 400 && unknown.json["error"]?["details"]?["field"] == "nobody", "\(path)")
        }
    }

    @Test(arguments: [
        ("GET", "/sessions", "text/html", 406, "not_acceptable"),
        ("GET", "/metrics", "application/json", 406, "not_acceptable"),
        ("GET", "/sessions", "text/html, */*;q=0.1", 200, nil),
        ("DELETE", "/sessions/none", "text/html", 404, "session_not_found"),
        ("GET", "/nothing", "application/json", 404, "not_found"),
        ("GET", "/sessions?limit=1&limit=2", "*/*", 400, "invalid_request"),
    ])
    func whatIsAskedForIsHeeded(method: String, path: String, accept: String, status: Int, code: String?) throws {
        let daemon = try TestDaemon.running()
        let response = try daemon.http(method, "/api/v1" + path, headers: [("Accept", accept)])
        #expect(response.status == status)
        #expect(response.errorCode == code)
    }

    @Test(arguments: [
        ("text/plain", nil, 415), ("application/x-www-form-urlencoded", nil, 415), ("multipart/form-data", nil, 415),
        ("application/json", "gzip", 415), ("Application/JSON; charset=utf-8", nil, 201),
        ("application/json", "identity", 201), ("", nil, 415),
    ])
    func bodiesAreJSON(type: String, coding: String?, status: Int) throws {
        let daemon = try TestDaemon.running()
        let body: JSON = ["providerId": "echo", "workspace": JSON(daemon.folder.path)]
        let headers = [("Content-Type", type)] + (coding.map { [("Content-Encoding", $0)] } ?? [])
        let response = try daemon.http("POST", "/api/v1/sessions", body, headers: headers)
        #expect(response.status == status)
        #expect(response.errorCode == (status == 415 ? "unsupported_media_type" : nil))
    }
}
