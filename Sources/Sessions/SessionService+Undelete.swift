import EventLog
import EventLoop
package import HubProtocol
import JSON

extension SessionService {
    /// Brings a deleted session back from the backups, as it was; one that is there is answered with as it is.
    /// - Parameter done: is told the session, `session_not_found` when no copy is kept, or `log_unavailable`.
    package func undelete(
        _ sessionId: String, by client: ClientIdentity, _ done: @escaping (Result<Session, Failure>) -> Void
    ) {
        // An agent that is still being ended must not meet one that goes on with the same conversation.
        guard !retiring.values.contains(where: { $0.id == sessionId }) else {
            loop.schedule(after: .milliseconds(20)) { [weak self] in self?.undelete(sessionId, by: client, done) }
            return
        }
        let result: Result<Session, Failure>
        do throws(Failure) {
            result = .success(try undeleted(sessionId, by: client))
        } catch {
            result = .failure(error)
        }
        done(result)
    }

    private func undeleted(_ sessionId: String, by client: ClientIdentity) throws(Failure) -> Session {
        if state(of: sessionId) != nil { return try session(sessionId) }
        try requireRunning()
        let session: Session
        do throws(LogError) {
            try store.undelete(sessionId)
            // What it cost must not count twice.
            spending.archive.giveBack(sessionId)
            spending.forgetSum()
            session = try load(sessionId)
        } catch {
            guard error.code == .notFound else { throw Session.logUnavailable(error) }
            throw Failure(
                code: "session_not_found",
                message: "No deleted session \(sessionId.prefix(64)) is kept among the backups.")
        }
        parkingChanged(session.state)
        audit("session_undeleted", by: client, session: session, details: [:])
        onLogGrowth(sessionId)
        observer?.sessionCreated(session)
        return session
    }
}
