import Foundation

/// A column: its heading, the key in a run's figures, and how a figure is written.
struct Column: Sendable {
    let title: String
    let key: String
    let format: @Sendable (Double) -> String

    init(_ title: String, _ key: String, scale: Double = 1, digits: Int = 0) {
        self.title = title
        self.key = key
        format = { String(format: "%.\(digits)f", $0 * scale) }
    }
}

/// A Markdown table with aligned cells, which reads well in a terminal too.
func table(_ heading: [String], _ lines: [[String]]) -> String {
    let widths = heading.indices.map { column in ([heading] + lines).map { $0[column].count }.max() ?? 0 }
    func line(_ cells: [String]) -> String {
        let padded = cells.enumerated().map { index, cell in
            let space = String(repeating: " ", count: widths[index] - cell.count)
            return index < 2 ? cell + space : space + cell
        }
        return "| " + padded.joined(separator: " | ") + " |"
    }
    let rule = widths.enumerated().map { index, width in
        String(repeating: "-", count: width + 1) + (index < 2 ? "-" : ":")
    }
    return ([line(heading), "|" + rule.joined(separator: "|") + "|"] + lines.map(line)).joined(separator: "\n")
}

func table(_ suite: Suite, _ results: Results) -> String {
    let rows = results.rows.filter { $0.suite == suite.name }
    let columns = suite.columns.filter { column in rows.contains { $0.median(column.key) != nil } }
    return "### \(suite.title)\n\n"
        + table(
            ["work", "server"] + columns.map(\.title),
            rows.map { row in [row.work, row.server] + columns.map { row.median($0.key).map($0.format) ?? "" } })
        + "\n"
}
