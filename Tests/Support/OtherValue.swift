package import Configuration
package import JSON

/// A valid value that differs.
package func other(than value: JSON?, _ form: SettingForm) -> JSON {
    let candidates: [JSON] =
        switch form {
        case .integer(let range): [JSON(range.lowerBound), JSON(range.upperBound)]
        case .number(let range): [JSON(range.lowerBound), JSON(range.upperBound)]
        case .boolean: [true, false]
        case .choice(let choices): choices.map { JSON($0) }
        case .text(.folder): ["/tmp"]
        case .text: ["localhost", "other"]
        case .texts(.origin): [["https://example.com"]]
        case .texts(.path): [["/etc/example.pub"]]
        case .texts: [["example.com"]]
        case .textMap: [["A": "b"]]
        }
    return candidates.first { $0 != value } ?? .null
}
