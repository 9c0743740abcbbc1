import Foundation
import Glibc

/// Listens on 127.0.0.1 for servers that tests need: a thread for each connection. `stop()` ends them all.
package final class LoopbackServer: @unchecked Sendable {
    package let port: UInt16
    private let listener: Int32
    private let lock = NSLock()
    private var connections: Set<Int32> = []
    private var isStopped = false

    /// - Parameter port: 0: any that is free.
    /// - Throws: `POSIXError`, when another program has the port.
    package init(port: UInt16 = 0) throws {
        listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        var yes: Int32 = 1
        setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &yes, 4)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let listener = listener
        let error = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
                guard bind(listener, address, length) == 0, listen(listener, 128) == 0,
                    getsockname(listener, address, &length) == 0
                else { return errno }
                return 0
            }
        }
        self.port = UInt16(bigEndian: address.sin_port)
        guard error == 0 else {
            close(listener)
            throw POSIXError(POSIXErrorCode(rawValue: error) ?? .EIO)
        }
    }

    /// - Parameter serve: called with each connection on its thread; the connection is closed when it returns.
    package func start(_ serve: @escaping @Sendable (Int32) -> Void) {
        Thread { [self] in
            while let connection = accepted() {
                Thread { [self] in
                    serve(connection)
                    lock.withLock { _ = connections.remove(connection) }
                    close(connection)
                }.start()
            }
        }.start()
    }

    package func stop() {
        lock.withLock {
            guard !isStopped else { return }
            isStopped = true
            shutdown(listener, Int32(SHUT_RDWR))
            close(listener)
            for connection in connections { shutdown(connection, Int32(SHUT_RDWR)) }
        }
    }

    /// The next connection; nil once it was stopped.
    private func accepted() -> Int32? {
        while true {
            let connection = accept(listener, nil, nil)
            if connection < 0 {
                if errno == EINTR || errno == ECONNABORTED { continue }
                return nil
            }
            // Programs that tests start must not hold it open.
            _ = fcntl(connection, F_SETFD, FD_CLOEXEC)
            let goesOn = lock.withLock {
                if !isStopped { connections.insert(connection) }
                return !isStopped
            }
            if goesOn { return connection }
            close(connection)
            return nil
        }
    }

    /// Whether the peer took all of it.
    @discardableResult
    package static func send(_ bytes: [UInt8], to connection: Int32) -> Bool {
        var sent = 0
        while sent < bytes.count {
            let count = bytes[sent...].withUnsafeBytes {
                Glibc.send(connection, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
            }
            guard count > 0 else { return false }
            sent += count
        }
        return true
    }
}
