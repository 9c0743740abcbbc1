import HTTP1
import HubProtocol
import JSON

/// The settings over HTTP: what clients may see and change of them.
extension APIHandler {
    func addSettingsRoutes(to router: inout Router) {
        router.add(.get, "settings", query: ["schema"]) { [self] request throws(Failure) in
            var settings = core.settings
            if let schema = try request.query.string("schema") {
                guard schema == "1" else {
                    throw Failure(code: "invalid_request", message: "schema is 1.", details: ["field": "schema"])
                }
                settings["schema"] = .array(core.settingsSchema)
            }
            return .json(200, .object(settings))
        }
        router.add(.patch, "settings") { [self] request throws(Failure) in
            let patch = try request.fields().all
            return .later { [self] answer in
                hub.context.changeSettings(patch, by: request.client) { result in
                    answer(result.map { .json(200, .object($0)) })
                }
            }
        }
    }
}
