import Base

/// The prices in force: those of the person's own file, then those inside the binary.
///
/// The file is looked at again whenever a price is asked for, so that a change counts from the next turn on. One that
/// can't be used is named and passed over; the prices of the binary stand.
package final class PriceBook {
    /// Hears once of each version of the file that can't be used, with a sentence that names it.
    package var onProblem: (String) -> Void = { _ in }
    package private(set) var problem: String?

    private let path: String?
    private let bundled: PriceTable
    private var own: PriceTable?
    private var seen: FileSignature?

    /// - Parameter path: the person's file, in the form of `assets/prices.json`; it need not exist.
    package init(path: String? = nil, bundled: PriceTable = .bundled) {
        self.path = path
        self.bundled = bundled
    }

    /// The tables in force, the first that names a model first.
    package var tables: [PriceTable] {
        refresh()
        return (own.map { [$0] } ?? []) + [bundled]
    }

    /// What the tokens cost, in USD; nil when no table names the model.
    package func estimate(_ usage: Usage, model: String) -> Double? {
        for table in tables {
            if let cost = table.estimate(usage, model: model) { return cost }
        }
        return nil
    }

    private func refresh() {
        guard let path else { return }
        let signature = FileSignature(path)
        guard signature != seen else { return }
        seen = signature
        own = nil
        problem = nil
        guard signature != nil else { return }
        do throws(SystemError) {
            let bytes = try readFile(path)
            do throws(PriceTable.Invalid) {
                own = try PriceTable(bytes: bytes)
            } catch {
                problem = "\(path): \(error)"
            }
        } catch {
            problem = "\(path) can't be read: \(error)"
        }
        if let problem { onProblem(problem) }
    }
}
