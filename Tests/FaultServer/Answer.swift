import Foundation
import Glibc
import TestSupport

/// One answer on one connection, with its fault.
final class Answer {
    private(set) var bodySent = 0
    private(set) var status = 0
    private let connection: Int32

    init(_ connection: Int32) {
        self.connection = connection
    }

    func run(_ request: FaultServer.Request, _ fault: Fault, _ file: [UInt8]?) {
        if fault.delay > 0, !isStillThere(milliseconds: fault.delay) { return }
        if let raw = fault.raw {
            _ = send(raw)
            return
        }
        if let redirect = fault.redirect {
            status = fault.status ?? 302
            _ = send(head([("location", redirect), ("content-length", "0")]))
            return
        }
        if let failing = fault.status {
            status = failing
            _ = send(head([("content-length", "2")]) + Array("no".utf8))
            return
        }
        guard var file else {
            status = 404
            _ = send(head([("content-length", "0")]))
            return
        }
        let tag = fault.entityTag ?? "\"\(file.count)\""
        var fields = [("etag", tag)] + fault.headers
        if let flip = fault.flip, flip < file.count { file[flip] ^= 0x20 }
        file += [UInt8](repeating: 0x78, count: fault.extra)
        var body = file[...]
        status = 200
        let isSame = request.headers["if-range"].map { $0 == tag } ?? true
        if request.start > 0, isSame, !fault.ignoresRanges {
            guard request.start < file.count else {
                status = 416
                _ = send(head([("content-range", "bytes */\(file.count)"), ("content-length", "0")]))
                return
            }
            status = 206
            let start = fault.sendsWrongRange ? max(0, request.start - 1) : request.start
            body = file[start...]
            fields.append(("content-range", fault.contentRange ?? "bytes \(start)-\(file.count - 1)/\(file.count)"))
        }
        switch fault.framing {
        case .length: fields.append(("content-length", "\(fault.claim ?? body.count)"))
        case .chunked: fields.append(("transfer-encoding", "chunked"))
        case .close: break
        }
        fields.append(("connection", "close"))
        let head = head(fields)
        if let cut = fault.cutHead, cut < head.count {
            _ = send(Array(head[..<cut]))
            return
        }
        guard send(head), request.method != "HEAD" else { return }
        sendBody(body, fault)
    }

    /// Closes, or has the peer see a reset.
    func end(resets: Bool) {
        guard !resets else {
            var linger = linger(l_onoff: 1, l_linger: 0)
            setsockopt(connection, SOL_SOCKET, SO_LINGER, &linger, socklen_t(MemoryLayout<linger>.size))
            return
        }
        shutdown(connection, Int32(SHUT_WR))
        // What is still coming would have the kernel reset the connection.
        var byte: UInt8 = 0
        _ = isStillThere(milliseconds: 0)
        while recv(connection, &byte, 1, Int32(MSG_DONTWAIT)) > 0 {}
    }

    func send(_ bytes: [UInt8]) -> Bool { LoopbackServer.send(bytes, to: connection) }

    private func head(_ fields: [(String, String)]) -> [UInt8] {
        let lines = fields.map { "\($0): \($1)\r\n" }.joined()
        return Array("HTTP/1.1 \(status) Said\r\n\(lines)\r\n".utf8)
    }

    private func sendBody(_ body: ArraySlice<UInt8>, _ fault: Fault) {
        let end = [fault.cut, fault.stall].compactMap { $0 }.min() ?? Int.max
        var rest = body
        while bodySent < end {
            if rest.isEmpty {
                guard fault.isEndless else { break }
                rest = [UInt8](repeating: 0x78, count: 65_536)[...]
            }
            var piece = rest.prefix(min(65_536, end - bodySent))
            if let rate = fault.rate { piece = piece.prefix(max(1, rate / 20)) }
            rest = rest.dropFirst(piece.count)
            let isSent =
                fault.framing == .chunked
                ? send(Array("\(String(piece.count, radix: 16))\r\n".utf8) + piece + Array("\r\n".utf8))
                : send(Array(piece))
            guard isSent else { return }
            bodySent += piece.count
            if fault.rate != nil, !isStillThere(milliseconds: 50) { return }
        }
        if fault.stall != nil, fault.cut == nil {
            while isStillThere(milliseconds: 1000) {}
        } else if fault.framing == .chunked, bodySent < end {
            _ = send(Array("0\r\n\r\n".utf8))
        }
    }

    /// Waits. False when the peer has gone.
    private func isStillThere(milliseconds: Int) -> Bool {
        // POLLRDHUP, which the Glibc module leaves out.
        let hungUp: Int32 = 0x2000
        var entry = pollfd(fd: connection, events: Int16(hungUp), revents: 0)
        guard poll(&entry, 1, Int32(milliseconds)) > 0 else { return true }
        return entry.revents & Int16(POLLHUP | hungUp | POLLERR) == 0
    }
}
