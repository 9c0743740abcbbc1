// The daemon: everything it does is in the Daemon module.
