// Products of trits by look-ups, compiled with -mavx512f -mavx512bw -mavx512vbmi -mavx512vnni.
#include "digit_few.h"
#include "trit_lookups.h"

#if defined(__AVX512VBMI__)
namespace tfmbs {
extern const TritFns trits_avx512vbmi;
const TritFns trits_avx512vbmi = {MOST_ROWS, TABLE_BYTES * RESIDUE_BYTES, make_tables, look_up<>};
// As `StripFns::few`.
extern void (*const few_avx512vbmi)(const FewRows& few);
void (*const few_avx512vbmi)(const FewRows& few) = digit_few<>;
}  // namespace tfmbs
#endif
