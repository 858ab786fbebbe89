// Products of trits by look-ups, compiled with -mavx512f -mavx512bw -mavx512vbmi -mavx512vnni.
#include "digit_few.h"
#include "trit_lookups.h"

#if defined(__AVX512VBMI__)
namespace tfmbs {
extern const LookUps look_ups_avx512vbmi;
const LookUps look_ups_avx512vbmi = {
    {MOST_ROWS, TABLE_BYTES * RESIDUE_BYTES, GROUPS_TOGETHER, make_tables, look_up}, digit_few<>};
}  // namespace tfmbs
#endif
