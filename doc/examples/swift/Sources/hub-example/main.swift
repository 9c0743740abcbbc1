// A client of the CodeAI Hub on its client library.
//
//     swift run hub-example PROVIDER TEXT...
//
// opens a session, says the text, prints the answer while it grows, allows what the agent asks leave for, and ends with
// the turn. What comes from the log goes to standard error as `SEQ KIND`: each number once, whatever happens to the
// connection or to the daemon.

import Client
import Foundation

struct Session: Decodable { var id: String }
struct Sent: Decodable { var turnId: String }
struct Chunk: Decodable { var itemId, kind, content: String, offset: Int }
struct Message: Decodable { var role, content: String }
struct Permission: Decodable {
    struct Option: Decodable { var optionId, kind: String }
    var requestId: String, options: [Option]
}
struct TurnEnd: Decodable { var status: String }

func decode<Value: Decodable>(_ type: Value.Type, _ text: String) throws -> Value {
    try JSONDecoder().decode(type, from: Data(text.utf8))
}

func encode(_ object: [String: Any]) throws -> String {
    String(decoding: try JSONSerialization.data(withJSONObject: object), as: UTF8.self)
}

func note(_ text: String) { FileHandle.standardError.write(Data((text + "\n").utf8)) }

/// The texts that are being said: bytes of each that were printed.
var printed: [String: Int] = [:]

/// A piece may be missing, or come again after a reconnect; the message at the end has the whole.
@MainActor func show(_ text: String, of item: String, at offset: Int = 0) {
    let before = printed[item] ?? 0
    guard offset <= before else { return }
    let new = text.utf8.dropFirst(before - offset)
    printed[item] = before + new.count
    FileHandle.standardOutput.write(Data(new))
}

let arguments = CommandLine.arguments.dropFirst()
guard arguments.count >= 2 else {
    note("usage: hub-example PROVIDER TEXT...")
    exit(2)
}

let home = try HubHome.standard()
// Starts the daemon when none runs.
_ = try await DaemonLauncher(home: home).ensureRunning()
let client = try HubClient(home: home)

let creation = ["providerId": arguments.first!, "workspace": FileManager.default.currentDirectoryPath]
let session = try decode(Session.self, try await client.call("POST", "/sessions", bodyText: encode(creation))).id
note("session \(session)")

var options = StreamOptions()
options.name = "swift-example"
options.subscription = .sessions([session])
options.resume = [session: 0]
let stream = try await client.openStream(options)
let message = try encode(["sessionId": session, "content": arguments.dropFirst().joined(separator: " ")])
let turn = try decode(Sent.self, try await stream.send("session:message", payloadText: message)).turnId

// The stream reconnects by itself and goes on after the last event.
for await event in stream.events {
    guard case .frame(let frame) = event, frame.sessionId == session else { continue }
    if frame.type == "stream:chunk" {
        let chunk = try decode(Chunk.self, frame.payloadText)
        if chunk.kind == "message" { show(chunk.content, of: chunk.itemId, at: chunk.offset) }
        continue
    }
    guard let event = LogEvent(frame) else { continue }
    note("\(event.seq) \(event.kind)")
    switch event.kind {
    case "message":
        let message = try decode(Message.self, event.dataText)
        if message.role == "assistant", let item = event.itemId { show(message.content, of: item) }
    case "permission_requested":
        let request = try decode(Permission.self, event.dataText)
        let allow = request.options.first { $0.kind == "allow_once" }!
        do {
            try await stream.send(
                "permission:respond",
                payloadText: encode([
                    "sessionId": session, "requestId": request.requestId, "optionId": allow.optionId,
                ]))
        } catch let error as HubError {
            // Another client was faster, or it was asked before we were away.
            guard ["already_resolved", "request_not_found"].contains(error.answer) else { throw error }
        }
    case "turn_completed" where event.turnId == turn:
        print()
        exit(try decode(TurnEnd.self, event.dataText).status == "completed" ? 0 : 1)
    default: break
    }
}
