import Base
import COpenSSL
import Glibc

/// What all TLS connections of a downloader share.
final class TLSContext {
    let pointer: OpaquePointer

    init(environment: [String: String]) throws(DownloadError) {
        guard let context = SSL_CTX_new(TLS_client_method()) else {
            throw DownloadError(.tls, "OpenSSL can't be used", reach: .all)
        }
        pointer = context
        copenssl_set_least_version(context, TLS1_2_VERSION)
        copenssl_refuse_renegotiation(context)
        SSL_CTX_set_verify(context, SSL_VERIFY_PEER, nil)
        let protocols: [UInt8] = [8] + Array("http/1.1".utf8)
        // The one call of OpenSSL for which 0 is success. Without it a server may still speak HTTP/1.1.
        _ = SSL_CTX_set_alpn_protos(context, protocols, UInt32(protocols.count))
        defer { ERR_clear_error() }
        try TrustStore.load(into: context, environment: environment)
    }

    deinit { SSL_CTX_free(pointer) }
}

/// TLS 1.2 or later over another channel, with a peer that has proved its name. OpenSSL never sees the socket: it reads and
/// writes memory, so that waiting, cancelling and SIGPIPE stay in one place.
final class TLSChannel: Channel {
    private let lower: any Channel
    private let connection: OpaquePointer
    // Owned by the connection.
    private let input: OpaquePointer
    private let output: OpaquePointer
    private let host: String
    private let name: String
    /// From when to when the certificate is valid that was refused.
    private var validity = ""
    private let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 32 << 10, alignment: 16)

    /// Shakes hands and checks who it is.
    init(
        over lower: any Channel, to location: Location, _ context: TLSContext, until deadline: Patience.Instant
    ) throws(DownloadError) {
        guard let connection = SSL_new(context.pointer), let input = BIO_new(BIO_s_mem()),
            let output = BIO_new(BIO_s_mem())
        else { throw DownloadError(.tls, "out of memory", reach: .all) }
        (self.lower, self.connection, self.input, self.output) = (lower, connection, input, output)
        (host, name) = (location.host, location.name)
        copenssl_never_ends(input)
        SSL_set_bio(connection, input, output)
        SSL_set_connect_state(connection)
        SSL_set_hostflags(connection, UInt32(X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS))
        let isSet =
            location.isAddress
            ? X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(connection), host) == 1
            : SSL_set1_host(connection, host) == 1 && copenssl_set_server_name(connection, host) == 1
        guard isSet else { throw DownloadError(.tls, "OpenSSL doesn't take the name \(host)") }
        SSL_set_ex_data(connection, 0, Unmanaged.passUnretained(self).toOpaque())
        SSL_set_verify(connection, SSL_VERIFY_PEER) { isRight, verification in
            if isRight == 0 { TLSChannel.note(verification) }
            return isRight
        }
        try shakeHands(until: deadline)
    }

    deinit {
        SSL_free(connection)
        buffer.deallocate()
    }

    func send(_ bytes: [UInt8], until deadline: Patience.Instant) throws(DownloadError) {
        guard !bytes.isEmpty else { return }
        while true {
            ERR_clear_error()
            let result = SSL_write(connection, bytes, Int32(bytes.count))
            let reason = SSL_get_error(connection, result)
            try flush(until: deadline)
            if result > 0 { return }
            guard reason == SSL_ERROR_WANT_READ else { throw broken() }
            guard try fill(until: deadline) else { throw cut() }
        }
    }

    func receive(
        into buffer: UnsafeMutableRawBufferPointer, until deadline: Patience.Instant
    ) throws(DownloadError) -> Int {
        while true {
            ERR_clear_error()
            let result = SSL_read(connection, buffer.baseAddress, Int32(clamping: buffer.count))
            let reason = SSL_get_error(connection, result)
            if result > 0 { return Int(result) }
            // What it is asked by the peer (new keys) is answered.
            try flush(until: deadline)
            switch reason {
            case SSL_ERROR_ZERO_RETURN: return 0
            // An end that the peer didn't announce may be somebody else's.
            case SSL_ERROR_WANT_READ: guard try fill(until: deadline) else { throw cut() }
            default: throw broken()
            }
        }
    }

    private func shakeHands(until deadline: Patience.Instant) throws(DownloadError) {
        while true {
            ERR_clear_error()
            let result = SSL_do_handshake(connection)
            let reason = SSL_get_error(connection, result)
            if result != 1, reason != SSL_ERROR_WANT_READ {
                let failure = explanation()
                // Tells the peer why, if it still listens.
                try? flush(until: min(deadline, .now + .milliseconds(500)))
                throw failure
            }
            try flush(until: deadline)
            if result == 1 { return }
            guard try fill(until: deadline) else {
                throw DownloadError(.unreachable, "\(name) closed the connection before it was secure")
            }
        }
    }

    /// Sends what OpenSSL has to say.
    private func flush(until deadline: Patience.Instant) throws(DownloadError) {
        while copenssl_pending(output) > 0 {
            let count = BIO_read(output, buffer.baseAddress, Int32(buffer.count))
            guard count > 0 else { return }
            try lower.send(Array(buffer[..<Int(count)]), until: deadline)
        }
    }

    /// - Returns: false at the end of the connection.
    private func fill(until deadline: Patience.Instant) throws(DownloadError) -> Bool {
        let count = try lower.receive(into: buffer, until: deadline)
        guard count > 0 else { return false }
        guard BIO_write(input, buffer.baseAddress, Int32(count)) == Int32(count) else {
            throw DownloadError(.tls, "out of memory", reach: .all)
        }
        return true
    }

    private func cut() -> DownloadError { DownloadError(.unreachable, "the connection to \(host) was cut") }

    private func broken() -> DownloadError {
        DownloadError(.unreachable, "the connection to \(host) was broken: \(TLSChannel.lastReason())")
    }

    /// Why the handshake failed.
    private func explanation() -> DownloadError {
        let result = Int32(clamping: SSL_get_verify_result(connection))
        let now = Timestamp.now.description
        let text: String
        switch result {
        case X509_V_OK:
            let reason = TLSChannel.lastReason()
            text =
                reason.contains(text: "protocol")
                ? "it speaks no TLS 1.2 or later (\(reason))"
                : "the TLS handshake failed (\(reason)); is it an https server?"
        case X509_V_ERR_CERT_NOT_YET_VALID:
            text =
                "its certificate isn't valid yet\(validity). This machine's clock says \(now): if that is wrong, set it and try again"
        case X509_V_ERR_CERT_HAS_EXPIRED:
            text =
                "its certificate has expired\(validity). This machine's clock says \(now): if that is wrong, set it and try again"
        case X509_V_ERR_HOSTNAME_MISMATCH, X509_V_ERR_IP_ADDRESS_MISMATCH:
            text = "its certificate is for another name than \(host): somebody else answers, or the address is wrong"
        case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT, X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN,
            X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY, X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT,
            X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE, X509_V_ERR_CERT_UNTRUSTED:
            text =
                "its certificate comes from nobody this machine trusts (\(TLSChannel.text(of: result))). Where a company's proxy "
                + "opens connections, name its authority's file with SSL_CERT_FILE; else install the package ca-certificates"
        default: text = "its certificate is refused: \(TLSChannel.text(of: result))"
        }
        return DownloadError(.tls, "\(name) can't prove who it is: \(text)")
    }

    /// OpenSSL keeps no certificate that it has refused.
    private static func note(_ verification: OpaquePointer?) {
        guard let verification, let certificate = X509_STORE_CTX_get_current_cert(verification),
            let connection = X509_STORE_CTX_get_ex_data(verification, SSL_get_ex_data_X509_STORE_CTX_idx()),
            let channel = SSL_get_ex_data(OpaquePointer(connection), 0),
            let from = date(X509_get0_notBefore(certificate)), let to = date(X509_get0_notAfter(certificate))
        else { return }
        Unmanaged<TLSChannel>.fromOpaque(channel).takeUnretainedValue().validity =
            " (it is valid from \(from) to \(to))"
    }

    private static func date(_ time: UnsafePointer<ASN1_TIME>?) -> String? {
        var parts = tm()
        guard ASN1_TIME_to_tm(time, &parts) == 1 else { return nil }
        return Timestamp(milliseconds: Int64(timegm(&parts)) * 1000).description
    }

    private static func text(of result: Int32) -> String {
        X509_verify_cert_error_string(Int(result)).map { String(cString: $0) } ?? "error \(result)"
    }

    /// What OpenSSL says last went wrong on this thread.
    private static func lastReason() -> String {
        let error = ERR_peek_last_error()
        guard error != 0, let reason = ERR_reason_error_string(error) else { return "the connection ended" }
        return String(cString: reason)
    }
}
