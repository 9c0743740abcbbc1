/// Why a release can't be found, trusted, or put in the place of another.
package struct ReleaseError: Error, Equatable, Sendable, CustomStringConvertible {
    /// What a program decides by; stays as it is. Those of downloads and installations come through under their own names.
    package let code: String
    /// A sentence for people: what it is, and what to do.
    package let message: String

    package init(_ code: Code, _ message: String) { self.init(code: code.rawValue, message) }

    package init(code: String, _ message: String) {
        self.code = code
        self.message = message
    }

    package var description: String { message }

    package enum Code: String, Sendable, CaseIterable {
        /// Not what a manifest must be: no JSON, a member missing, an empty sum.
        case manifestInvalid = "manifest_invalid"
        /// No signature, where one must be.
        case unsigned
        /// A signature that isn't one, is by a key nobody trusts, or isn't of these bytes.
        case signatureWrong = "signature_wrong"
        /// A file of keys that can't be read.
        case keyInvalid = "key_invalid"
        /// What `--from` names is nothing a release can come from.
        case sourceInvalid = "source_invalid"
        /// Nothing is there for this machine.
        case platformMissing = "platform_missing"
        /// The version that was asked for isn't the one that is offered, or isn't installed.
        case versionMissing = "version_missing"
        /// An older version than the installed one.
        case downgrade = "downgrade_refused"
        /// Another version has come into force since the plan was made.
        case changed = "changed_meanwhile"
        /// A provider's module that needs a newer core.
        case coreTooOld = "core_too_old"
        /// A provider's module that this core can't use, or that isn't the one that was announced.
        case moduleUnusable = "module_unusable"
        /// Bytes that aren't those of the manifest: a wrong size or sum.
        case wrongSum = "package_wrong_sum"
        /// The new version didn't stand its trial; the old one is in its place again.
        case rolledBack = "rolled_back"
        /// The daemon said no to a restart, or couldn't be asked.
        case restartFailed = "restart_failed"
        case cancelled
    }
}
