import CAssets
import HTTP1

/// The web client: the files of `assets/web`, which are inside the program.
///
/// They are the same for everybody and hold no secret. A path is one of those that are known, or there is nothing: no
/// file is ever looked for on the disk.
final class WebClient {
    /// Each with the path at which it is served. The pointers lead to constants of the program.
    nonisolated(unsafe) static let files: [String: UnsafeBufferPointer<UInt8>] = {
        var count = 0
        let table = UnsafeBufferPointer(start: cassets_web(&count), count: count)
        return Dictionary(
            uniqueKeysWithValues: table.map { file in
                let name = String(cString: file.path)
                return (
                    name == "index.html" ? "/" : "/web/" + name,
                    UnsafeBufferPointer(start: file.bytes, count: file.size)
                )
            })
    }()

    private var documents: [String: StaticDocument] = [:]

    /// The document at a path, made when it is asked for the first time.
    func document(at path: String) -> StaticDocument? {
        guard path == "/" || path.hasPrefix("/web/") else { return nil }
        if let document = documents[path] { return document }
        guard let bytes = WebClient.files[path] else { return nil }
        let document = StaticDocument(contentType: WebClient.contentType(of: path), bytes: Array(bytes))
        documents[path] = document
        return document
    }

    /// By the end of the name. What has none of these is for nobody to show or run.
    static func contentType(of path: String) -> String {
        if path == "/" { return "text/html; charset=utf-8" }
        return switch path.split(separator: ".").last {
        case "js": "text/javascript; charset=utf-8"
        case "css": "text/css; charset=utf-8"
        case "json": MediaTypes.json
        case "svg": "image/svg+xml"
        case "png": "image/png"
        case "woff2": "font/woff2"
        default: "application/octet-stream"
        }
    }

    /// What the client's pages may do, and who may load and show them.
    /// - Parameter host: as the request names this daemon.
    static func policies(host: String) -> [(String, String)] {
        let content = [
            "default-src 'none'", "script-src 'self'", "style-src 'self'", "img-src 'self' data: blob:",
            // Not every browser takes a WebSocket to the page's own host for 'self'.
            "connect-src 'self' ws://\(host)", "base-uri 'none'", "form-action 'none'",
            // All that is above it must be allowed: a webview of VS Code lies in a window of VS Code.
            "frame-ancestors 'self' vscode-webview: vscode-file:",
            // No text becomes markup or code, whatever an agent says.
            "require-trusted-types-for 'script'", "trusted-types 'none'",
        ]
        return [
            ("content-security-policy", content.joined(separator: "; ")), ("referrer-policy", "no-referrer"),
            ("cross-origin-opener-policy", "same-origin"), ("cross-origin-resource-policy", "same-origin"),
        ]
    }
}

extension APIHandler {
    /// Where the web client's files are.
    package static var webPaths: Set<String> { Set(WebClient.files.keys) }

    /// Queries are passed over: those who open a page in a frame add some of their own.
    func give(_ document: StaticDocument, of head: HTTPRequestHead, _ recipient: Recipient) {
        guard head.method == .get || head.method == .head else {
            return give(otherMethod(head.method, Router.allow([.get])), recipient)
        }
        // The guard has compared it with the daemon's names: it can't be anything else.
        let policies = WebClient.policies(host: head.headers["host"] ?? "")
        give(document, with: policies, recipient)
    }
}
