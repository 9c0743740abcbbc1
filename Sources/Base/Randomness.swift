import CLinux
import Glibc

/// Bytes from the kernel's generator, fit for secrets.
package func randomBytes(_ count: Int) -> [UInt8] {
    [UInt8](unsafeUninitializedCapacity: count) { buffer, initialized in
        var filled = 0
        while filled < count {
            let got = getrandom(buffer.baseAddress! + filled, count - filled, 0)
            // Only EINTR can happen: the pool is ready long before any daemon starts.
            if got > 0 { filled += got }
        }
        initialized = count
    }
}
