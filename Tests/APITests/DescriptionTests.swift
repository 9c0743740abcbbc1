import Base
import EventLog
import EventLoop
import HTTP1
import HubProtocol
import JSON
import Providers
import Server
import Sessions
import TestSupport
import Testing

@testable import API

/// doc/openapi.json says what the router does, and nothing else.
@Suite struct DescriptionTests {
    private struct Operation: Hashable, CustomStringConvertible {
        var method: String
        /// With `*` for each variable part.
        var path: String
        var query: Set<String>

        var description: String { "\(method) \(path)?\(query.sorted().joined(separator: "&"))" }

        init(_ route: Router.Route) {
            method = route.method.description
            path = "/" + route.pattern.joined(separator: "/")
            query = route.query
        }

        init(_ method: String, _ path: String, _ operation: JSON) {
            self.method = method.uppercased()
            self.path = path.split(separator: "/").map { $0.hasPrefix("{") ? "/*" : "/\($0)" }.joined()
            let parameters = operation["parameters"]?.arrayValue ?? []
            query = Set(parameters.filter { $0["in"] == "query" }.compactMap { $0["name"]?.stringValue })
        }
    }

    private let document: JSON

    init() throws { document = try JSON.parse(APIHandler.openAPI) }

    private func described() throws -> [(operation: Operation, json: JSON)] {
        let paths = try #require(document["paths"]?.objectValue)
        return paths.flatMap { path, item in
            (item.objectValue ?? [:]).map { (Operation($0.key, path, $0.value), $0.value) }
        }
    }

    @Test func routerAndDescriptionAgree() throws {
        let fixture = try HandlerFixture()
        let routes = Set(fixture.handler.router.routes.map(Operation.init) + [Operation(APIHandler.stream)])
        let described = Set(try described().map(\.operation))
        #expect(routes.subtracting(described) == [], "not described: add them to scripts/api/routes.py")
        #expect(described.subtracting(routes) == [], "described, but no route is there")
    }

    @Test func mediaTypesAgree() throws {
        let fixture = try HandlerFixture()
        let described = Dictionary(uniqueKeysWithValues: try described().map { ($0.operation, $0.json) })
        for route in fixture.handler.router.routes {
            let answers = try #require(described[Operation(route)]?["responses"]?.objectValue)
            let types = answers.filter { $0.key.hasPrefix("2") }
                .flatMap { $0.value["content"]?.objectValue.map { $0.map(\.key) } ?? [] }
            #expect(Set(types) == Set(route.produces), "\(Operation(route))")
        }
    }

    /// The codes of the description have the status that the daemon gives them.
    @Test func statusesOfErrorsAgree() throws {
        let responses = try #require(document["components"]?["responses"]?.objectValue)
        for (name, response) in responses {
            let status = try #require(Int(name.drop { !$0.isNumber }))
            // Those that the connection or the guard answers with itself never are a `Failure`.
            guard ![400, 401, 403, 421, 426, 429, 500, 507].contains(status) else { continue }
            let text = response["description"]?.stringValue ?? ""
            for (index, code) in text.split(separator: "`").enumerated()
            where index % 2 == 1 && !["body_too_large", "too_many_connections"].contains(code) {
                #expect(Failure(code: String(code), message: "").httpStatus == status, "\(code)")
            }
        }
    }

    @Test(arguments: [
        (nil, true), ("*/*", true), ("application/json", true), ("APPLICATION/JSON; q=0.5", true), ("text/*", false),
        ("text/html, */*;q=0.1", true), ("application/*", true), ("application/json;q=0, */*", false), ("", true),
        ("text/html", false), ("application/json-patch+json", false), ("*/*;q=0", false),
    ])
    func acceptIsHeeded(field: String?, isAllowed: Bool) {
        let headers = HTTPHeaders(field.map { [("accept", $0)] } ?? [])
        #expect(MediaTypes.accepts(headers, "application/json") == isAllowed)
    }

    @Test func aKnownDocumentIsNotSentAgain() {
        let document = StaticDocument(contentType: "text/plain", bytes: Array("hello".utf8))
        func isKnown(_ field: String) -> Bool { document.isKnown([("if-none-match", field)]) }
        let plain = document.entityTag(isPacked: false)
        let packed = document.entityTag(isPacked: true)
        #expect(plain != packed)
        for field in [plain, packed, "W/\(plain)", "\"x\", \(packed)", "*"] { #expect(isKnown(field), "\(field)") }
        for field in ["", "\"x\"", plain.uppercased() + "x", String(plain.dropLast())] {
            #expect(!isKnown(field), "\(field)")
        }
    }
}

extension StaticDocument {
    fileprivate func isKnown(_ pairs: [(String, String)]) -> Bool { isKnown(HTTPHeaders(pairs)) }
}

// MARK: A handler that nobody talks to

private final class HandlerFixture {
    private let folder: TemporaryFolder
    private let surroundings = Surroundings()
    private let hub: StreamHub
    let handler: APIHandler

    init() throws {
        folder = try TemporaryFolder("routes")
        let loop = try EventLoop()
        let store = try LogStore<SessionState>(
            directory: folder.path + "/sessions", backups: folder.path + "/backups", loop: loop, durability: .process)
        let service = SessionService(loop: loop, store: store, providers: surroundings, settings: SessionSettings())
        hub = StreamHub(service: service, context: surroundings, encoder: BroadcastEncoder())
        handler = APIHandler(service: service, hub: hub, core: surroundings, providers: surroundings, maxClients: 1)
    }
}

private final class Surroundings: CoreControl, HubContext, ProviderSource, ProviderDirectory {
    private static let nobody = Failure(code: "provider_not_found", message: "there is none")

    let core: JSONObject = [:]
    let providers: [JSON] = []
    let settings: JSONObject = [:]
    let identity = CoreIdentity(version: "", instanceId: "", pid: 1, host: "", port: 1, startedAt: .now)
    let children: [ChildUsage] = []
    let residentMemory = 0
    let traffic = ServerMetrics()
    let vitals = CoreVitals()
    func diagnostics(_ done: @escaping (Result<[UInt8], Failure>) -> Void) {}
    func shutDown(graceMs: Int?, by client: String) {}
    func restart(graceMs: Int?, by client: String, answer: @escaping (Result<JSONObject, Failure>) -> Void) {}

    func note(_ quota: Quota, of providerId: String) {}
    func problem(with providerId: String) -> Failure? { nil }
    func makeSession(_ providerId: String, _ start: ProviderStart) throws(Failure) -> any ProviderSession {
        throw Surroundings.nobody
    }

    let records: [JSON] = []
    let problems: [JSON] = []
    func record(_ providerId: String) -> JSONObject? { nil }
    func check(_ providerId: String, _ done: @escaping (Result<JSONObject, Failure>) -> Void) {}
    func setEnabled(_ providerId: String, _ isEnabled: Bool) throws(Failure) { throw Surroundings.nobody }
    func install(_ providerId: String, recipe: String?, version: String?) throws(Failure) -> JSONObject {
        throw Surroundings.nobody
    }
    func cancelInstall(_ providerId: String) throws(Failure) { throw Surroundings.nobody }
    func uninstall(_ providerId: String) throws(Failure) { throw Surroundings.nobody }
    func login(_ providerId: String) throws(Failure) -> JSONObject { throw Surroundings.nobody }
}
