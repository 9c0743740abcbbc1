import API
import Archives
import Base
import Configuration
import EventLoop
import HubProtocol
import JSON
import Redaction

extension Daemon {
    /// Packs what there is to know; the loop goes on meanwhile.
    func diagnostics(_ done: @escaping (Result<[UInt8], Failure>) -> Void) {
        let worker: EventLoop
        do throws(SystemError) {
            if let diagnosticsWorker {
                worker = diagnosticsWorker
            } else {
                worker = try EventLoop.startThread(name: "diagnostics")
            }
        } catch {
            return done(.failure(Failure(code: "internal_error", message: "They can't be collected: \(error).")))
        }
        diagnosticsWorker = worker
        func file(_ name: String, _ object: JSONObject) -> (name: String, bytes: [UInt8]) {
            (name, JSON.object(redactor.clean(object)).serialize() + [0x0a])
        }
        let diagnostics = Diagnostics(
            parts: [
                file("versions.json", versions), file("config.json", publicConfiguration),
                file("status.json", handler.statusWithoutSessions), ("metrics.txt", handler.metrics),
            ], home: home.path, takenAt: .now, redactor: redactor)
        let back = LoopBound(done, loop: loop)
        worker.submit { [loop] in
            let result = diagnostics.pack()
            loop.submit {
                back.value(
                    result.mapError {
                        Failure(code: "internal_error", message: "They can't be packed: \($0.message).")
                    })
            }
        }
    }

    private var versions: JSONObject {
        var providers: JSONObject = [:]
        for record in catalogue.records {
            guard let id = record["id"]?.stringValue else { continue }
            var provider: JSONObject = [:]
            for key in ["installed", "version", "enabled", "authenticated", "problem"] { provider[key] = record[key] }
            providers[id] = .object(provider)
        }
        return [
            "core": JSON(identity.version), "protocol": 1, "instanceId": JSON(identity.instanceId),
            "startedAt": JSON(identity.startedAt.description), "providers": .object(providers),
        ]
    }

    /// All settings that are in force; of what is put into providers' environments the names only.
    private var publicConfiguration: JSONObject {
        var root = configured.configuration.json
        guard var providers = root["providers"]?.objectValue else { return root }
        for (id, provider) in providers {
            guard var members = provider.objectValue, let environment = members["environment"]?.objectValue else {
                continue
            }
            members["environment"] = .object(JSONObject(members: environment.map { ($0.key, JSON(Redactor.mark)) }))
            providers[id] = .object(members)
        }
        root["providers"] = .object(providers)
        return root
    }
}
