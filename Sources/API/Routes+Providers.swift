import HTTP1
import HubProtocol
import JSON
import Sessions

/// The providers over HTTP: what there is, enabling, installing, logging in.
extension APIHandler {
    func addProviderRoutes(to router: inout Router) {
        router.add(.get, "providers") { [self] _ throws(Failure) in
            .json(200, ["providers": .array(providers.records), "problems": .array(providers.problems)])
        }
        router.add(.get, "providers/*") { [self] request throws(Failure) in
            .json(200, .object(try record(providerId(request))))
        }
        router.add(.patch, "providers/*") { [self] request throws(Failure) in
            let id = try providerId(request)
            let fields = try request.fields()
            let isEnabled = try fields.required("enabled", fields.bool("enabled"))
            return .json(200, .object(try hub.setProvider(id, enabled: isEnabled, by: request.client)))
        }
        router.add(.post, "providers/*/check") { [self] request throws(Failure) in
            // Not only among those that are known: it may have come this very moment.
            let id = ProviderID.resolve(request.parameters[0])
            return .later { [self] answer in
                providers.check(id) { result in answer(result.map { .json(200, .object($0)) }) }
            }
        }
        router.add(.post, "providers/*/install") { [self] request throws(Failure) in
            let id = try providerId(request)
            let fields = try request.fields()
            let operation = try providers.install(
                id, recipe: fields.string("recipe"), version: fields.string("version"))
            audit("provider_install", request, id, operation)
            return .json(202, ["operation": .object(operation)])
        }
        router.add(.delete, "providers/*/install") { [self] request throws(Failure) in
            let id = try providerId(request)
            try providers.cancelInstall(id)
            audit("provider_install_cancelled", request, id)
            return .json(202, ["cancelling": true])
        }
        router.add(.post, "providers/*/uninstall") { [self] request throws(Failure) in
            let id = try providerId(request)
            try providers.uninstall(id)
            audit("provider_uninstall", request, id)
            return .json(200, .object(try record(id)))
        }
        router.add(.post, "providers/*/login") { [self] request throws(Failure) in
            let id = try providerId(request)
            let command = try providers.login(id)
            audit("provider_login", request, id)
            return .json(200, .object(command))
        }
    }

    private func providerId(_ request: APIRequest) throws(Failure) -> String {
        let id = ProviderID.resolve(request.parameters[0])
        _ = try record(id)
        return id
    }

    private func record(_ id: String) throws(Failure) -> JSONObject {
        guard let record = providers.record(id) else { throw StreamHub.noProvider(id) }
        return record
    }

    private func audit(_ action: String, _ request: APIRequest, _ id: String, _ operation: JSONObject = [:]) {
        var details: JSONObject = ["providerId": JSON(id)]
        for key in ["recipe", "version"] { details[key] = operation[key] }
        service.auditor?.record(action, by: request.client, sessionId: nil, details: details)
    }
}

extension StreamHub {
    static func noProvider(_ name: String) -> Failure {
        Failure(
            code: "provider_not_found",
            message: "There is no provider \(name.prefix(64)); GET /providers lists those there are.")
    }

    /// What HTTP and the WebSocket both let clients do.
    /// - Returns: the provider's record.
    func setProvider(_ id: String, enabled isEnabled: Bool, by client: ClientIdentity) throws(Failure) -> JSONObject {
        guard let providers else { throw StreamHub.noProvider(id) }
        try providers.setEnabled(id, isEnabled)
        service.auditor?.record(
            isEnabled ? "provider_enabled" : "provider_disabled", by: client, sessionId: nil,
            details: ["providerId": JSON(id)])
        guard let record = providers.record(id) else { throw StreamHub.noProvider(id) }
        return record
    }
}
