import CVersion

package enum Version {
    /// The program's; see `CVersion`.
    package static let current = String(cString: codeai_version())
}
