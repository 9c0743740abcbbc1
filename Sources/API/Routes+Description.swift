import CAssets
import HTTP1
import HubProtocol

/// What describes the API for machines. The routes' own test compares it with the router.
extension APIHandler {
    func addDescriptionRoutes(to router: inout Router) {
        router.add(.get, "openapi.json") { [self] _ throws(Failure) in .document(apiDescription) }
    }

    /// `doc/openapi.json`, as it was when this was built.
    static var openAPI: [UInt8] {
        var count = 0
        guard let start = cassets_openapi(&count) else { return [] }
        return Array(UnsafeBufferPointer(start: start, count: count))
    }
}
