#pragma once

/// Names the calling thread, for debuggers and `top`; the kernel keeps 15 bytes.
void clinux_set_thread_name(const char *_Nonnull name);
