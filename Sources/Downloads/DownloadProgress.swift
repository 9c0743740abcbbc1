/// How far a download has come.
package struct DownloadProgress: Equatable, Sendable {
    /// Bytes there are, those of an earlier attempt included. Goes back when a mirror's bytes turned out to be wrong.
    package var received: Int
    package var total: Int
    /// The mirror that they come from now.
    package var source: Location

    package init(received: Int, total: Int, source: Location) {
        self.received = received
        self.total = total
        self.source = source
    }
}
