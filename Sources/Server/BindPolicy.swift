import Base
package import EventLoop

/// Which addresses may be listened on: loopback only. Whoever can connect can run programs as this user; beyond
/// loopback that needs TLS and a token, which this version does not have.
package enum BindPolicy {
    package static func check(_ address: SocketAddress) throws(ServerError) {
        guard address.isLoopback else {
            throw ServerError(
                .notLoopback,
                "refusing to listen on \(address): only loopback addresses (127.0.0.1, ::1) are possible without TLS "
                    + "and a token; set the host to 127.0.0.1, and use an SSH tunnel to reach it from elsewhere")
        }
    }
}
