/// How long and how much is waited for and taken.
package struct DownloadLimits: Equatable, Sendable {
    /// For a connection: looking the name up, connecting, the proxy's answer and the TLS handshake together. Default 15 s:
    /// a few round trips even by satellite; beyond it another mirror is the better choice.
    package var connectTimeout: Duration = .seconds(15)
    /// From the request to the end of the answer's head. Default 30 s: storage that has to be woken up.
    package var answerTimeout: Duration = .seconds(30)
    /// Without a single byte. Default 30 s: a train's tunnel.
    package var stallTimeout: Duration = .seconds(30)
    /// Bytes a second, over `rateWindow`, that a mirror has to give as long as there is another one to try. The last one may be
    /// as slow as it is. Default 4 KiB/s.
    package var minimumRate = 4 << 10
    /// Default 20 s: long enough for a connection that starts slowly.
    package var rateWindow: Duration = .seconds(20)
    /// For a file, all attempts together. Default an hour: 10 MB at 3 kB/s.
    package var totalTimeout: Duration = .seconds(3600)
    /// For what is fetched into memory. Default 60 s.
    package var smallTimeout: Duration = .seconds(60)
    /// Redirections from one request, one after the other. Default 5: what is known needs two.
    package var redirections = 5
    /// Attempts on one mirror that bring less than `worthwhileBytes`, one after the other, before it is given up. Default 3.
    package var attempts = 3
    /// Bytes beyond what there already was that make an attempt worth another one. Default 64 KiB.
    package var worthwhileBytes = 64 << 10
    /// Between two rounds through the mirrors, the first time; twice as long each time, up to 16 times. Default 250 ms.
    package var pause: Duration = .milliseconds(250)
    /// Mirrors that are looked at; others are left out. Default 16.
    package var mirrors = 16
    /// Addresses of one name that are tried. Default 8.
    package var addresses = 8
    /// How long one address gets before the next one is tried beside it. Default 250 ms, as RFC 8305 recommends.
    package var addressDelay: Duration = .milliseconds(250)
    /// Between two reports of progress. Default 100 ms.
    package var progressInterval: Duration = .milliseconds(100)

    package init() {}
}
