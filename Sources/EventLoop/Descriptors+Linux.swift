import Glibc

/// Has reads and writes of the descriptor return EAGAIN where they would wait.
package func setNonBlocking(_ fd: Int32) -> Bool {
    let flags = fcntl(fd, F_GETFL)
    guard flags >= 0 else { return false }
    return flags & O_NONBLOCK != 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) == 0
}

/// Keeps the descriptor out of programs started by this one.
package func setCloseOnExec(_ fd: Int32, _ isOn: Bool = true) -> Bool {
    let flags = fcntl(fd, F_GETFD)
    guard flags >= 0 else { return false }
    return fcntl(fd, F_SETFD, isOn ? flags | FD_CLOEXEC : flags & ~FD_CLOEXEC) == 0
}

/// Repeats a call that a signal has interrupted.
@inline(__always)
package func retryingInterrupts(_ call: () -> Int) -> Int {
    while true {
        let result = call()
        if result >= 0 || errno != EINTR { return result }
    }
}
