import JSON
import Providers

/// The file changes that a successful tool call made.
enum ClaudeDiffs {
    /// Longer texts of whole files are left out where there is a patch: the log keeps every event for good.
    static let wholeTextLimit = 256 * 1024

    /// - Parameters:
    ///   - arguments: what the tool was called with.
    ///   - result: the line's `tool_use_result`.
    static func diffs(itemId: String, tool: String, arguments: JSON, result: JSON) -> [FileDiff] {
        let path =
            result["filePath"]?.stringValue ?? arguments["file_path"]?.stringValue
            ?? arguments["notebook_path"]?.stringValue
        guard let path else { return [] }
        let patch = unified(path: path, hunks: result["structuredPatch"]?.arrayValue ?? [])
        func bounded(_ text: String?) -> String? {
            guard let text, patch == nil || text.utf8.count <= wholeTextLimit else { return nil }
            return text
        }
        switch tool {
        case "Write":
            return [
                FileDiff(
                    itemId: itemId, path: path, oldText: bounded(result["originalFile"]?.stringValue),
                    newText: bounded(result["content"]?.stringValue ?? arguments["content"]?.stringValue),
                    unified: patch)
            ]
        case "Edit":
            return [
                FileDiff(
                    itemId: itemId, path: path,
                    oldText: result["oldString"]?.stringValue ?? arguments["old_string"]?.stringValue,
                    newText: result["newString"]?.stringValue ?? arguments["new_string"]?.stringValue, unified: patch)
            ]
        case "MultiEdit":
            let edits = (arguments["edits"]?.arrayValue ?? []).map { edit in
                FileDiff(
                    itemId: itemId, path: path, oldText: edit["old_string"]?.stringValue,
                    newText: edit["new_string"]?.stringValue)
            }
            return patch.map { [FileDiff(itemId: itemId, path: path, unified: $0)] } ?? edits
        case "NotebookEdit":
            return [
                FileDiff(
                    itemId: itemId, path: path, oldText: result["old_source"]?.stringValue,
                    newText: result["new_source"]?.stringValue ?? arguments["new_source"]?.stringValue,
                    unified: patch)
            ]
        default:
            return []
        }
    }

    /// The hunks as a unified diff; nil when there are none (a new file).
    private static func unified(path: String, hunks: [JSON]) -> String? {
        guard !hunks.isEmpty else { return nil }
        var text = "--- a\(path.hasPrefix("/") ? "" : "/")\(path)\n+++ b\(path.hasPrefix("/") ? "" : "/")\(path)\n"
        for hunk in hunks {
            func number(_ key: String) -> Int { hunk[key]?.intValue ?? 0 }
            text += "@@ -\(number("oldStart")),\(number("oldLines")) +\(number("newStart")),\(number("newLines")) @@\n"
            for line in hunk["lines"]?.arrayValue ?? [] { text += (line.stringValue ?? "") + "\n" }
        }
        return text
    }
}
