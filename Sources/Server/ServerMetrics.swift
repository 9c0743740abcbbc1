/// What a server has done since its start. Plain counters, read on the loop.
package struct ServerMetrics: Sendable {
    package var connectionsAccepted = 0
    /// Over the limit of connections, or out of descriptors.
    package var connectionsRefused = 0
    package var connectionsTimedOut = 0
    package var connectionsOpen = 0
    package var requests = 0
    /// Responses by the first digit of their status, 1 to 5.
    package var responses: SIMD8<Int> = .zero
    package var requestsMalformed = 0
    /// By the guard: host, origin, token.
    package var requestsForbidden = 0
    /// The same by the code of the refusal, of which there are few.
    package var forbiddenByReason: [String: Int] = [:]
    package var webSocketsOpened = 0
    package var webSocketsOpen = 0
    package var streamsOpened = 0
    package var streamsOpen = 0
    package var messagesReceived = 0
    package var bytesReceived = 0
    package var bytesSent = 0
    /// Frames handed to the kernel, one for each receiver.
    package var framesSent = 0
    /// Ephemeral frames left out for a slow subscriber.
    package var framesDropped = 0
    package var subscribersSlow = 0
    package var subscribersEvicted = 0
    package var peersLost = 0

    package init() {}
}
