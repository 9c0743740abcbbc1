import API
import Configuration
import EventLog
import JSON
import Search
import Sessions

extension Daemon {
    /// Has the search index follow the sessions; or removes it, where nobody wants one.
    func startSearch() {
        guard configured.configuration.search.enabled else { return SearchIndex.remove(home.search) }
        let index = SearchIndex(path: home.search, logs: home.sessions, loop: loop, settings: configured.search)
        let log = log
        index.onNotice = { isError, message, details in log.log(isError ? .error : .info, message, details) }
        index.committedSize = { [unowned service] in service.store.committedSize(of: $0) }
        index.sessionIds = { [unowned service] in service.sessionIds }
        service.onLogGrowth = { [unowned index] in index.logGrew($0) }
        service.onLogRemoval = { [unowned index] in index.logRemoved($0) }
        hub.search = index
        search = index
        index.start()
    }
}
