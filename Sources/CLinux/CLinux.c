// The header is the module; this file makes it a target.
#include "CLinux.h"
