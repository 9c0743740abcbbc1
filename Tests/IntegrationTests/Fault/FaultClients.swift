import Base
import Client
import Foundation
import JSON
import TestSupport

/// What all parts of the fault test share.
final class FaultStage: Sendable {
    let daemon: TestDaemon
    /// Set when the sessions have come to rest: how many events each has.
    private let target = Lock<[String: Int]?>(nil)
    private let over = Lock(false)

    init(_ daemon: TestDaemon) { self.daemon = daemon }

    func finish(at counts: [String: Int]) { target.withLock { $0 = counts } }
    /// The clients give up, wherever they are.
    func abandon() { over.withLock { $0 = true } }

    /// False when the client should give up its connection: the stage is done, or nothing has come for long although
    /// something should.
    func waitForInput(_ connection: RawConnection, _ ledger: Ledger) -> Bool {
        let patience = ContinuousClock.now + .seconds(15)
        while !isDone(ledger) {
            guard let hasInput = try? connection.hasInput(within: .milliseconds(100)) else { return false }
            if hasInput { return true }
            if ContinuousClock.now > patience {
                ledger.change { $0.stalls += 1 }
                return false
            }
        }
        return false
    }

    var isFinishing: Bool { target.withLock { $0 != nil } }
    func isDone(_ ledger: Ledger) -> Bool {
        over.withLock { $0 } || target.withLock { target in target.map { ledger.hasReached($0) } ?? false }
    }
}

enum FaultClientKind: CaseIterable {
    /// Comes back when the connection is lost.
    case steady
    /// Also ends the connection itself, at random.
    case restless
    /// Reads slowly, through a small window.
    case slow
    /// Follows one session by server-sent events.
    case events
    /// The client library.
    case library

    /// Of eight clients three are steady, two restless, and one of each other kind.
    static func of(_ index: Int) -> FaultClientKind {
        [.steady, .restless, .slow, .events, .library, .steady, .restless, .steady][index % 8]
    }
}

/// A client over a raw WebSocket, until the stage is done.
func runSocketClient(_ stage: FaultStage, _ ledger: Ledger, _ kind: FaultClientKind, seed: UInt64) {
    var random = SeededGenerator(seed: seed)
    while !stage.isDone(ledger) {
        let window: Int32? = kind == .slow ? 4096 : nil
        guard
            let socket = try? stage.daemon.client(ledger.name, resume: ledger.cursors, receiveBuffer: window)
        else {
            usleep(UInt32.random(in: 10_000...60_000, using: &random))
            continue
        }
        ledger.change { $0.connections += 1 }
        let leaves: ContinuousClock.Instant? =
            kind == .restless ? .now + .milliseconds(Int.random(in: 5...1500, using: &random)) : nil
        connection: while !stage.isDone(ledger) {
            guard stage.waitForInput(socket.connection, ledger),
                let message = try? socket.receive(within: .seconds(15))
            else { break }
            switch message {
            case .text(let bytes):
                if let event = FrameScan.durableEvent(bytes) {
                    ledger.receive(event.session, seq: event.seq, id: event.id)
                } else if FrameScan.type(bytes) == "client:evicted" {
                    ledger.change { $0.evictions += 1 }
                } else if FrameScan.type(bytes) == "sync:resync" {
                    ledger.change { $0.trouble.append("sync:resync: \(String(decoding: bytes, as: UTF8.self))") }
                }
            case .close, .ended: break connection
            default: break
            }
            if kind == .slow, !stage.isFinishing { usleep(2000) }
            if let leaves, ContinuousClock.now >= leaves, !stage.isFinishing {
                if Bool.random(using: &random) { socket.connection.reset() }
                break
            }
        }
        socket.close()
    }
}

/// A client that follows one session by server-sent events, and comes back with `Last-Event-ID`.
func runEventStreamClient(_ stage: FaultStage, _ ledger: Ledger, session: String, seed: UInt64) {
    var random = SeededGenerator(seed: seed)
    while !stage.isDone(ledger) {
        let daemon = stage.daemon
        guard let connection = try? RawConnection(port: daemon.port) else {
            usleep(UInt32.random(in: 10_000...60_000, using: &random))
            continue
        }
        let cursor = ledger.cursors[session] ?? 0
        let head =
            "GET /api/v1/sessions/\(session)/events?chunks=false HTTP/1.1\r\nHost: \(daemon.authority)\r\n"
            + "Accept: text/event-stream\r\nLast-Event-ID: \(cursor)\r\n\r\n"
        guard (try? connection.send(head)) != nil, let answer = try? connection.take(through: "\r\n\r\n") else {
            continue
        }
        let text = String(decoding: answer, as: UTF8.self)
        guard text.hasPrefix("HTTP/1.1 200") else {
            usleep(20_000)
            continue
        }
        ledger.change { $0.connections += 1 }
        var reader = EventStreamReader(isChunked: text.lowercased().contains("chunked"))
        while !stage.isDone(ledger) {
            guard stage.waitForInput(connection, ledger), (try? reader.read(connection)) == true else { break }
            while let (seq, frame) = try? reader.takeNumbered() {
                ledger.receive(session, seq: seq, id: frame["payload"]?["id"]?.stringValue ?? "?")
            }
        }
        connection.close()
    }
}

/// A client through the public library, which reconnects by itself.
func runLibraryClient(_ stage: FaultStage, _ ledger: Ledger) async throws {
    let client = try HubClient(home: HubHome(path: stage.daemon.home))
    defer { client.close() }
    var options = StreamOptions()
    options.name = ledger.name
    options.resume = ledger.cursors
    // The first connection is the caller's matter: the daemon may be dead at this moment.
    var opened: HubStream?
    while opened == nil, !stage.isDone(ledger) {
        opened = try? await client.openStream(options)
        if opened == nil { try await Task.sleep(for: .milliseconds(30)) }
    }
    guard let stream = opened else { return }
    // The last event may be long here when the stage ends: nothing else would wake the loop below.
    let watch = Task {
        while !stage.isDone(ledger) { try await Task.sleep(for: .milliseconds(100)) }
        stream.close()
    }
    defer { watch.cancel() }
    for await event in stream.events {
        switch event {
        case .frame(let frame):
            if let seq = frame.seq, let session = frame.sessionId {
                ledger.receive(session, seq: seq, id: frame.payload?["id"]?.stringValue ?? "?")
            }
        case .connected: ledger.change { $0.connections += 1 }
        case .missing(let session, let after, let before):
            ledger.change { $0.trouble.append("\(session): missing \(after + 1)..<\(before)") }
        case .ended(let error?): throw error
        case .ended, .reconnecting: break
        }
    }
}

/// Reads what the ledger needs from a frame's text without parsing it: the load must not be the bottleneck.
enum FrameScan {
    static func type(_ bytes: [UInt8]) -> String? { string(after: "\"type\":\"", in: bytes, from: 0) }

    /// Session, seq and id when the frame carries an event of a log.
    static func durableEvent(_ bytes: [UInt8]) -> (session: String, seq: Int, id: String)? {
        guard let payload = find("\"payload\":", in: bytes, from: 0),
            // Only frames of events have a seq beside the type.
            let seqAt = find("\"seq\":", in: bytes, from: 0), seqAt < payload,
            let session = string(after: "\"sessionId\":\"", in: bytes, from: 0),
            let id = string(after: "\"id\":\"", in: bytes, from: payload)
        else { return nil }
        var seq = 0
        var index = seqAt + 6
        while index < bytes.count, (0x30...0x39).contains(bytes[index]) {
            seq = seq * 10 + Int(bytes[index] - 0x30)
            index += 1
        }
        return (session, seq, id)
    }

    private static func find(_ pattern: StaticString, in bytes: [UInt8], from start: Int) -> Int? {
        bytes.withUnsafeBytes { buffer in
            guard let base = buffer.baseAddress else { return nil }
            let length = pattern.utf8CodeUnitCount
            var at = start
            while at + length <= buffer.count {
                guard let quote = memchr(base + at, Int32(pattern.utf8Start[0]), buffer.count - length - at + 1) else {
                    return nil
                }
                at = UnsafeRawPointer(quote) - base
                if memcmp(quote, pattern.utf8Start, length) == 0 { return at }
                at += 1
            }
            return nil
        }
    }

    private static func string(after pattern: StaticString, in bytes: [UInt8], from start: Int) -> String? {
        guard let found = find(pattern, in: bytes, from: start) else { return nil }
        let from = found + pattern.utf8CodeUnitCount
        guard let end = bytes[from...].firstIndex(of: UInt8(ascii: "\"")) else { return nil }
        return String(decoding: bytes[from..<end], as: UTF8.self)
    }
}
