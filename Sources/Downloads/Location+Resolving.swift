extension Location {
    /// What a reference means that stands in the file at this location (RFC 3986 section 5.2): another address, a path
    /// (`/releases/x`), or a name beside it (`x`).
    ///
    /// What came over the network never leads to a file of this machine, and what came by https never to http: so that no
    /// server can choose for a person to trust less than they asked for.
    package func appending(_ relative: String) throws(DownloadError) -> Location {
        let result = try resolve(relative)
        switch (scheme, result.scheme) {
        case (.https, .http), (.https, .file), (.http, .file):
            throw DownloadError(
                .invalidLocation, "\(name) leads to \(result.name): from \(scheme) to \(result.scheme) isn't followed")
        case (.file, _), (.http, _), (.https, .https): return result
        }
    }

    /// The same as a folder: names that are appended lie in it.
    package var asFolder: Location {
        get throws(DownloadError) {
            let path = description.prefix { $0 != "?" }
            return path.hasSuffix("/") ? self : try Location(path + "/")
        }
    }

    private func resolve(_ relative: String) throws(DownloadError) -> Location {
        if hasScheme(relative) { return try Location(relative) }
        if relative.hasPrefix("//") { return try Location("\(scheme.rawValue):\(relative)") }
        let origin = scheme.rawValue + "://" + (scheme == .file ? "" : authority)
        let reference = relative.prefix { $0 != "#" }
        let path = reference.prefix { $0 != "?" }
        let ownPath = target.prefix { $0 != "?" }
        if reference.isEmpty { return self }
        if path.isEmpty { return try Location(origin + ownPath + reference) }
        let whole =
            path.hasPrefix("/") ? String(path) : ownPath[...ownPath.lastIndex(of: "/")!] + String(path)
        return try Location(origin + withoutDots(whole) + reference[path.endIndex...])
    }
}

private func hasScheme(_ text: String) -> Bool {
    guard let colon = text.firstIndex(of: ":"), let first = text.first, first.isLetter else { return false }
    return text[..<colon].utf8.allSatisfy { byte in
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "+"), UInt8(ascii: "-"), UInt8(ascii: "."):
            true
        default: false
        }
    }
}

/// RFC 3986 section 5.2.4.
private func withoutDots(_ path: String) -> String {
    var kept: [Substring] = []
    let parts = path.split(separator: "/", omittingEmptySubsequences: false).dropFirst()
    for (index, part) in parts.enumerated() {
        let isLast = index == parts.count - 1
        switch part {
        case ".": if isLast { kept.append("") }
        case "..":
            _ = kept.popLast()
            if isLast { kept.append("") }
        default: kept.append(part)
        }
    }
    return "/" + kept.joined(separator: "/")
}
