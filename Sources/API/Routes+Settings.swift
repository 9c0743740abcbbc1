import HTTP1
import HubProtocol
import JSON

/// The settings over HTTP: what clients may see and change of them.
extension APIHandler {
    func addSettingsRoutes(to router: inout Router) {
        router.add(.get, "settings") { [self] request throws(Failure) in
            var settings = core.settings
            if try request.query.string("schema") == "1" { settings["schema"] = .array(core.settingsSchema) }
            return .json(200, .object(settings))
        }
        router.add(.patch, "settings") { [self] request throws(Failure) in
            .json(200, .object(try hub.context.changeSettings(request.fields().all, by: request.client)))
        }
    }
}
