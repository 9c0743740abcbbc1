import Base
import CLinux
import Glibc

/// An address and port that a socket connects to.
struct NetworkAddress {
    var storage: sockaddr_storage
    var length: socklen_t

    func withPointer<Result>(_ body: (UnsafePointer<sockaddr>, socklen_t) -> Result) -> Result {
        withUnsafePointer(to: storage) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { body($0, length) }
        }
    }
}

/// Finds the addresses of names, on a thread that can be left behind: getaddrinfo knows no time limit and can't be
/// interrupted.
enum NameLookup {
    /// The addresses, those of IPv6 and IPv4 in turns, the system's favourite first.
    static func addresses(
        of host: String, port: UInt16, limit: Int, patience: Patience, until deadline: Patience.Instant
    ) throws(DownloadError) -> [NetworkAddress] {
        // By definition this machine (RFC 6761), whatever a name server says.
        let names = host == "localhost" ? ["127.0.0.1", "::1"] : [host]
        if names.allSatisfy(isIPAddress) {
            return names.flatMap { Question(host: $0, port: port, flags: AI_NUMERICHOST).ask().addresses }
        }
        let answer = try wait(for: Question(host: host, port: port, flags: AI_ADDRCONFIG), patience, until: deadline)
        guard answer.error == 0, !answer.addresses.isEmpty else {
            throw DownloadError(
                .unreachable,
                "the address of \(host) can't be found (\(answer.reason)): is this machine connected to the network?")
        }
        return Array(inTurns(answer.addresses).prefix(limit))
    }

    private static func wait(
        for question: Question, _ patience: Patience, until deadline: Patience.Instant
    ) throws(DownloadError) -> Answer {
        let desk = try Desk(question)
        let reference = Unmanaged.passRetained(desk)
        var thread = pthread_t()
        let error = pthread_create(
            &thread, nil,
            { argument in
                let desk = Unmanaged<Desk>.fromOpaque(argument!).takeRetainedValue()
                let answer = desk.question.ask()
                desk.answer.withLock { $0 = answer }
                desk.ring()
                return nil
            }, reference.toOpaque())
        guard error == 0 else {
            reference.release()
            throw DownloadError(.inputOutput, "no thread can be started: \(SystemError.text(of: error))")
        }
        pthread_detach(thread)
        guard try patience.wait(desk.bell, POLLIN, until: deadline) else {
            throw DownloadError(
                .timeout, "the name servers don't answer: the address of \(question.host) can't be found")
        }
        return desk.answer.withLock { $0 }
    }

    private static func inTurns(_ addresses: [NetworkAddress]) -> [NetworkAddress] {
        let first = addresses.first?.storage.ss_family
        let ones = addresses.filter { $0.storage.ss_family == first }
        let others = addresses.filter { $0.storage.ss_family != first }
        return (0..<max(ones.count, others.count)).flatMap { index in
            [ones, others].compactMap { index < $0.count ? $0[index] : nil }
        }
    }
}

private struct Answer: Sendable {
    var addresses: [NetworkAddress] = []
    var error: Int32 = 0
    var reason = "no address"
}

extension NetworkAddress: @unchecked Sendable {}

private struct Question: Sendable {
    let host: String
    let port: UInt16
    let flags: Int32

    func ask() -> Answer {
        var hints = addrinfo()
        hints.ai_family = AF_UNSPEC
        hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        hints.ai_flags = flags | AI_NUMERICSERV
        var list: UnsafeMutablePointer<addrinfo>?
        let error = getaddrinfo(host, String(port), &hints, &list)
        guard error == 0 else {
            let reason = error == EAI_SYSTEM ? SystemError.text(of: errno) : String(cString: gai_strerror(error))
            return Answer(error: error, reason: reason)
        }
        defer { freeaddrinfo(list) }
        var answer = Answer()
        var next = list
        while let entry = next?.pointee {
            next = entry.ai_next
            guard let address = entry.ai_addr, Int(entry.ai_addrlen) <= MemoryLayout<sockaddr_storage>.size else {
                continue
            }
            var storage = sockaddr_storage()
            withUnsafeMutableBytes(of: &storage) { place in
                place.copyMemory(from: UnsafeRawBufferPointer(start: address, count: Int(entry.ai_addrlen)))
            }
            answer.addresses.append(NetworkAddress(storage: storage, length: entry.ai_addrlen))
        }
        return answer
    }
}

/// Where the thread leaves its answer, and where it rings; belongs to both.
private final class Desk: Sendable {
    let question: Question
    let answer = Lock(Answer())
    /// Readable once there is an answer.
    let bell: Int32

    init(_ question: Question) throws(DownloadError) {
        self.question = question
        bell = eventfd(0, Int32(EFD_CLOEXEC))
        guard bell >= 0 else { throw DownloadError(.inputOutput, "eventfd: \(SystemError.text(of: errno))") }
    }

    deinit { close(bell) }

    func ring() {
        var one: UInt64 = 1
        _ = write(bell, &one, 8)
    }
}
