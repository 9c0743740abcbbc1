import Base
package import Downloads
import Signatures

/// The bytes of a manifest that somebody answers for.
package struct SignedDocument: Sendable {
    package let bytes: [UInt8]
    /// Where it was found: what is relative in it counts from there.
    package let location: Location
    /// The number of the key, hexadecimal; nil when it isn't signed and need not be.
    package let signedBy: String?

    /// Where a package lies: beside a manifest on this machine, then where the manifest says.
    ///
    /// - Parameter baseURLs: those of the manifest.
    /// - Throws: `invalid_location`; `unsigned` for a place elsewhere that nobody answers for.
    package func mirrors(of package: String, _ baseURLs: [String]) throws(ReleaseError) -> [Location] {
        let isFile = location.isLocal && !location.isLoopback
        var mirrors: [Location] = []
        for base in (baseURLs.isEmpty || isFile ? ["."] : []) + baseURLs {
            let mirror = try downloading { () throws(DownloadError) in
                try location.appending(base).asFolder.appending(package)
            }
            guard signedBy != nil || mirror.isLocal else {
                throw ReleaseError(
                    .unsigned, "an unsigned manifest may only name places on this machine, not \(mirror.name)")
            }
            if !mirrors.contains(where: { $0.description == mirror.description }) { mirrors.append(mirror) }
        }
        return mirrors
    }
}

/// Fetches a manifest with its signature, and looks at nothing in it before the signature was found right.
package struct ManifestFetcher {
    package var downloader: Downloader
    package var keys: TrustedKeys
    /// Whether a manifest on this machine may have no signature; a wrong one is refused all the same.
    package var allowsUnsigned = false
    /// Told of each place that is tried, and why it was left for the next.
    package var onTry: (Location) -> Void = { _ in }
    package var onSkip: (Location, ReleaseError) -> Void = { _, _ in }
    package var isCancelled: () -> Bool = { false }

    package init(downloader: Downloader, keys: TrustedKeys) {
        self.downloader = downloader
        self.keys = keys
    }

    /// As a flow needs it, of the core or of modules: it reports each place, and can be cancelled.
    init(
        downloader: Downloader, keys: TrustedKeys, allowsUnsigned: Bool, isCancelled: @escaping () -> Bool,
        report: @escaping (ReleaseEvent) -> Void
    ) {
        self.init(downloader: downloader, keys: keys)
        self.allowsUnsigned = allowsUnsigned
        self.isCancelled = isCancelled
        onTry = { report(.resolving("\($0)")) }
        onSkip = { report(.skipped("\($0)", reason: $1.message)) }
    }

    /// Manifests are a few kilobytes.
    static let largestManifest = 1 << 20
    static let largestSignature = 4 << 10

    /// The first of the mirrors' manifests that is as it must be.
    ///
    /// - Parameter check: what else it must be; what this throws has the next mirror tried, too.
    /// - Throws: why none is; what a mirror said that answered counts for more than one that is away.
    package func fetch<Value>(
        _ locations: [Location], check: (SignedDocument) throws(ReleaseError) -> Value
    ) throws(ReleaseError) -> (document: SignedDocument, value: Value) {
        var unreachable: ReleaseError?
        var refusal: ReleaseError?
        for location in locations {
            onTry(location)
            do throws(ReleaseError) {
                let document = try fetch(location)
                return (document, try check(document))
            } catch {
                if error.code == ReleaseError.Code.cancelled.rawValue { throw error }
                if locations.count > 1 { onSkip(location, error) }
                if ReleaseError.Code(rawValue: error.code) == nil {
                    unreachable = unreachable ?? error
                } else {
                    refusal = refusal ?? error
                }
            }
        }
        throw refusal ?? unreachable ?? ReleaseError(.sourceInvalid, "there is no address of a manifest to ask")
    }

    private func fetch(_ location: Location) throws(ReleaseError) -> SignedDocument {
        let bytes = try downloading { () throws(DownloadError) in
            try downloader.fetch(location, limit: ManifestFetcher.largestManifest, isCancelled: isCancelled)
        }
        let signature = try signature(of: location)
        guard let signature else {
            guard allowsUnsigned, location.isLocal else {
                throw ReleaseError(
                    .unsigned,
                    "\(location) has no signature"
                        + (allowsUnsigned
                            ? ": unsigned ones are only taken from this machine"
                            : "; for a build of your own there is --allow-unsigned"))
            }
            return SignedDocument(bytes: bytes, location: location, signedBy: nil)
        }
        return SignedDocument(
            bytes: bytes, location: location, signedBy: try signer(of: bytes, signature, "\(location)"))
    }

    /// Nil when there is none.
    private func signature(of location: Location) throws(ReleaseError) -> [UInt8]? {
        do throws(DownloadError) {
            let place = try Location("\(location)" + ".sig")
            return try downloader.fetch(
                place, limit: ManifestFetcher.largestSignature, isCancelled: isCancelled)
        } catch {
            if error.isAbsence { return nil }
            throw ReleaseError(error)
        }
    }

    /// - Returns: the number of the key that signed.
    private func signer(
        of bytes: [UInt8], _ signature: [UInt8], _ name: String
    ) throws(ReleaseError) -> String {
        let detached: DetachedSignature
        do throws(SignatureError) {
            detached = try DetachedSignature(text: String(decoding: signature, as: UTF8.self))
        } catch {
            throw ReleaseError(.signatureWrong, "the signature of \(name) is none: \(error)")
        }
        let candidates = keys.keys.filter { $0.keyNumber == detached.keyNumber }
        guard !candidates.isEmpty else {
            throw ReleaseError(
                .signatureWrong,
                "\(name) is signed with the key \(hexadecimal(detached.keyNumber)), which is not trusted here; "
                    + "--key FILE trusts another")
        }
        guard let key = candidates.first(where: { $0.verify(detached, over: bytes) }) else {
            throw ReleaseError(.signatureWrong, "the signature of \(name) is wrong: it is not what was signed")
        }
        return hexadecimal(key.keyNumber)
    }
}

/// Runs what downloads, and turns its errors into those of releases.
func downloading<Value>(_ body: () throws(DownloadError) -> Value) throws(ReleaseError) -> Value {
    do throws(DownloadError) { return try body() } catch { throw ReleaseError(error) }
}

extension ReleaseError {
    init(_ error: DownloadError) {
        self.init(code: error.code.name, error.message)
    }
}
