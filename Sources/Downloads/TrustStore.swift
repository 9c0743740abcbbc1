import Base
import COpenSSL
import Glibc

/// Whose word is taken for who a server is: the authorities that this machine trusts.
enum TrustStore {
    /// One file with all of them, where distributions keep it; the first there is.
    static let files = [
        // Debian, Ubuntu, Arch, Alpine, Gentoo, NixOS
        "/etc/ssl/certs/ca-certificates.crt",
        // Fedora, RHEL
        "/etc/pki/tls/certs/ca-bundle.crt",
        "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
        // openSUSE
        "/etc/ssl/ca-bundle.pem",
        "/var/lib/ca-certificates/ca-bundle.pem",
        // Alpine and the BSDs
        "/etc/ssl/cert.pem",
    ]
    /// Folders with a file for each, named by hash, where there is no such file.
    static let folders = ["/etc/ssl/certs", "/etc/pki/tls/certs"]

    /// - Parameter environment: `SSL_CERT_FILE` and `SSL_CERT_DIR` (several with `:` between) are used instead of the system's.
    static func load(into context: OpaquePointer, environment: [String: String]) throws(DownloadError) {
        let chosenFile = environment["SSL_CERT_FILE"].flatMap { $0.isEmpty ? nil : $0 }
        let chosenFolders = environment["SSL_CERT_DIR"].flatMap { $0.isEmpty ? nil : $0 }
        if let chosenFile {
            guard SSL_CTX_load_verify_file(context, chosenFile) == 1 else {
                throw DownloadError(
                    .tls, "SSL_CERT_FILE names \(chosenFile), which can't be read or holds no certificate", reach: .all)
            }
        }
        if let chosenFolders {
            let found = chosenFolders.split(separator: ":").map(String.init).filter {
                isDirectory($0) && SSL_CTX_load_verify_dir(context, $0) == 1
            }
            guard !found.isEmpty else {
                throw DownloadError(
                    .tls, "SSL_CERT_DIR names \(chosenFolders), which is no folder that can be read", reach: .all)
            }
        }
        if chosenFile != nil || chosenFolders != nil { return }
        if files.contains(where: { access($0, R_OK) == 0 && SSL_CTX_load_verify_file(context, $0) == 1 }) { return }
        // A folder's files are looked at when they are needed, so that it can't be told whether there are any.
        let found = folders.filter { access($0, R_OK) == 0 && SSL_CTX_load_verify_dir(context, $0) == 1 }
        guard found.isEmpty else { return }
        throw DownloadError(
            .tls,
            "this machine has no certificates of authorities, so that no server can prove who it is: install the package "
                + "ca-certificates, or say with SSL_CERT_FILE where they are", reach: .all)
    }
}
