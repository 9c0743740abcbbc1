// What Swift's Glibc module cannot import of the Linux system interface: macros with casts, variadic calls, and
// system calls without a libc wrapper.
#pragma once
#ifdef __linux__
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <sys/signalfd.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/file.h>
#include <sys/wait.h>
#include <sys/ioctl.h>
#include <sys/random.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <arpa/inet.h>
#include <termios.h>
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>
#include "beneath.h"
#include "detach.h"
#include "exchange.h"
#include "extent.h"
#include "last_words.h"
#include "memory.h"
#include "names.h"
#include "peer.h"
#include "sockets.h"
#include "clinux_spawn.h"
#include "clinux_threads.h"
#endif
