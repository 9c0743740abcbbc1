import EventLoop
import HTTP1
import HubProtocol
import JSON
import Server
import Sessions

/// How a browser that can't send the token gets in: a ticket, asked for by somebody who may, becomes a cookie.
extension APIHandler {
    func addTicketRoutes(to router: inout Router) {
        router.add(.post, "auth/ticket") { [self] request throws(Failure) in
            let access = try requireGuard()
            let ticket = access.issueTicket(now: service.loop.nowNanoseconds)
            service.auditor?.record("ticket_issued", by: request.client, sessionId: nil, details: [:])
            let seconds = Int(access.configuration.ticketLife.components.seconds)
            return .json(201, ["ticket": JSON(ticket), "expiresIn": JSON(seconds)])
        }
        router.add(.post, "auth/session") { [self] request throws(Failure) in
            let access = try requireGuard()
            let ticket = try request.fields().requiredString("ticket")
            let cookie = access.redeemTicket(ticket, now: service.loop.nowNanoseconds)
            service.auditor?.record(
                cookie == nil ? "ticket_refused" : "ticket_redeemed", by: request.client, sessionId: nil, details: [:])
            guard let cookie else {
                throw Failure(code: "token_required", message: "The ticket is unknown, used or too old.")
            }
            return .json(200, [:], headers: [("Set-Cookie", cookie)])
        }
    }

    private func requireGuard() throws(Failure) -> AccessGuard {
        guard let accessGuard else { throw APIHandler.noRoute }
        return accessGuard
    }
}
