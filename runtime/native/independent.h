// TFMBS_INDEPENDENT before a loop: its iterations do not depend on each other through memory, which the compiler cannot
// see.
#pragma once

#if defined(__clang__)
#define TFMBS_INDEPENDENT _Pragma("clang loop vectorize(assume_safety)")
#else
#define TFMBS_INDEPENDENT _Pragma("GCC ivdep")
#endif
